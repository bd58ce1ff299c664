import { createHash } from 'node:crypto';

/** A download that is not, to the byte, the file that was pinned. It is never used, and no other route is tried. */
export class PinMismatchError extends Error {
  /**
   * @param {string} file
   * @param {string} expected
   * @param {string} got
   */
  constructor(file, expected, got) {
    super(
      `${file} is not the file that services/pins.mjs pins: expected SHA-256 ${expected}, got ${got}. ` +
        'It was not used. Either it was damaged on the way (try again), or something else was served in its place.',
    );
    this.name = 'PinMismatchError';
    this.file = file;
    this.expected = expected;
    this.got = got;
  }
}

/**
 * @param {Buffer} bytes
 * @param {import('./pins.mjs').PinnedFile} pin
 */
export function verifyPin(bytes, pin) {
  const got = createHash('sha256').update(bytes).digest('hex');
  if (got !== pin.sha256) throw new PinMismatchError(pin.file, pin.sha256, got);
}
