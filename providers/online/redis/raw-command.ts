import { Command } from 'ioredis';

/**
 * A command whose bytes on the wire are given, so that ioredis neither copies nor encodes its arguments. ioredis asks for
 * the bytes again when it resends the command after a reconnection: they must stay until the promise settles.
 */
export class RawCommand extends Command {
  readonly #wire: Buffer;

  constructor(name: string, wire: Buffer) {
    super(name);
    this.#wire = wire;
  }

  override toWritable(): Buffer {
    return this.#wire;
  }
}
