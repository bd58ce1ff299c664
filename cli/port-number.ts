import { GranaryError } from '../definitions/errors.js';

/** The port that a flag gives; 0: any that is free. @throws GranaryError `InvalidInput`. */
export function portNumber(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isInteger(value) && value >= 0 && value <= 65_535) return value;
  throw new GranaryError('InvalidInput', `--port is a number from 0 to 65535, not "${text}".`);
}
