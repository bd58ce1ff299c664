import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import { ByteWriter } from '../../../feast/byte-writer.js';
import { isRefused } from './redis-errors.js';
import { ReplyScanner, type Answer, type Asked } from './reply-scanner.js';

/** Where to connect and as whom: the part of ioredis's options that counts here. */
export interface ConnectOptions {
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  readonly username?: string | null | undefined;
  readonly password?: string | null | undefined;
  readonly db?: number | undefined;
  readonly tls?: ConnectionOptions | undefined;
}

/**
 * Silence is counted in looks, between which the event loop reads what has come: a process that was busy or asleep for seconds counts one,
 * and does not take answers that wait to be read for silence.
 */
const LOOK_MS = 250;
const CONNECT_LOOKS = 6;
/** The first may come at once after the ask: 2 seconds at least. */
const ANSWER_LOOKS = 9;

interface Waiting extends Asked {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
}

/**
 * A connection to Redis for reads alone, in RESP2: what is asked for within one turn of the event loop leaves in one write, and answers
 * are scanned, not parsed into objects. Connects at the first use and again after a loss; a server that is silent is given up within four seconds.
 */
export class ReadConnection {
  readonly #options: () => ConnectOptions;
  #socket: Socket | undefined;
  #ready: Promise<void> | undefined;
  #isOpen = false;
  #waiting: Waiting[] = [];
  #unsent: Buffer[] = [];
  #scanner = new ReplyScanner();
  #watch: NodeJS.Timeout | undefined;
  /** Looks since the oldest ask, or the last byte if that came later. */
  #silent = 0;

  /** `options` is asked at each connection, so that a rotated password is taken up. */
  constructor(options: () => ConnectOptions) {
    this.#options = options;
  }

  /**
   * Sends commands as they are on the wire, and resolves to where their answers lie. A connection that was lost meanwhile is replaced once.
   * @throws Error of the network; one named `ReplyError` for an error that Redis answered.
   */
  async ask(wire: Buffer, asked: Asked): Promise<Answer> {
    const wasOpen = this.#isOpen;
    try {
      return await this.#try(wire, asked);
    } catch (error) {
      // The server may have closed an old connection, as when it was restarted, or asks for a password since; a silent one is not asked twice.
      if (!wasOpen || !(isLost(error) || isRefused(error))) throw error;
      return await this.#try(wire, asked);
    }
  }

  close(): void {
    this.#drop(new Error('the connection was closed'));
  }

  async #try(wire: Buffer, asked: Asked): Promise<Answer> {
    if (!this.#isOpen) await (this.#ready ??= this.#connect());
    // Lost again before this one had its turn.
    if (!this.#isOpen) throw lost();
    const answer = await new Promise<Answer>((resolve, reject) => {
      if (this.#waiting.length === 0) this.#silent = 0;
      this.#waiting.push({ ...asked, resolve, reject });
      this.#unsent.push(wire);
      if (this.#unsent.length > 1) return;
      // Alone it goes at once; while others are asked, what comes in this turn leaves together.
      if (this.#waiting.length === 1) queueMicrotask(() => this.#flush());
      else setImmediate(() => this.#flush());
    });
    if (answer.error !== undefined) throw replyError(answer.error);
    return answer;
  }

  #flush(): void {
    const wires = this.#unsent;
    this.#unsent = [];
    const [only] = wires;
    if (only) this.#socket?.write(wires.length === 1 ? only : Buffer.concat(wires));
  }

  async #connect(): Promise<void> {
    const { host = '127.0.0.1', port = 6379, username, password, db = 0, tls } = this.#options();
    const socket = tls
      ? // An address is no name to ask a certificate for; Node then checks it against the host.
        connectTls({ ...(isIP(host) === 0 ? { servername: host } : {}), ...tls, host, port })
      : connectTcp({ host, port, noDelay: true });
    socket.setNoDelay(true);
    this.#socket = socket;
    this.#scanner = new ReplyScanner();
    this.#silent = 0;
    this.#watch = setInterval(() => this.#look(), LOOK_MS).unref();
    let failure: Error | undefined;
    socket.on('error', (error: Error) => void (failure = error));
    socket.on('close', () => {
      if (this.#socket === socket) this.#drop(failure ?? lost());
    });
    socket.on('data', (chunk: Buffer) => {
      if (this.#socket === socket) this.#take(chunk);
    });
    const hello: string[][] = [
      ...(hasText(password) ? [['AUTH', ...(hasText(username) ? [username] : []), password]] : []),
      ...(Number(db) === 0 ? [] : [['SELECT', String(db)]]),
      ['PING'],
    ];
    try {
      const answer = await new Promise<Answer>((resolve, reject) => {
        this.#waiting = [{ replies: hello.length, fields: 0, resolve, reject }];
        socket.once(tls ? 'secureConnect' : 'connect', () => socket.write(commands(hello)));
      });
      if (answer.error !== undefined) throw replyError(answer.error);
      this.#isOpen = true;
    } catch (error) {
      if (this.#socket === socket) this.#drop(error as Error);
      throw error;
    }
  }

  #take(chunk: Buffer): void {
    this.#silent = 0;
    try {
      this.#scanner.push(chunk);
      for (;;) {
        const [first] = this.#waiting;
        const answer = first && this.#scanner.take(first);
        if (!answer) return;
        // A password was set since: a connection that has it not stays refused for ever.
        if (this.#isOpen && answer.error?.startsWith('NOAUTH ') === true) throw replyError(answer.error);
        this.#waiting.shift();
        first.resolve(answer);
      }
    } catch (error) {
      this.#drop(error as Error);
    }
  }

  #look(): void {
    if (this.#waiting.length === 0 || ++this.#silent < (this.#isOpen ? ANSWER_LOOKS : CONNECT_LOOKS)) return;
    const reason = this.#isOpen
      ? 'no answer within 2000 ms'
      : 'connect ETIMEDOUT: it accepts no connection in time';
    this.#drop(new Error(reason));
  }

  /** Ends the connection and fails what waits on it. */
  #drop(error: Error): void {
    clearInterval(this.#watch);
    const failed = this.#waiting;
    this.#waiting = [];
    this.#unsent = [];
    const socket = this.#socket;
    this.#socket = this.#ready = undefined;
    this.#isOpen = false;
    socket?.destroy();
    for (const { reject } of failed) reject(error);
  }
}

const hasText = (text: string | null | undefined): text is string => (text ?? '') !== '';

const LOST = 'ECONNRESET';
const lost = (): Error => Object.assign(new Error('the connection was closed by the server'), { code: LOST });

const isLost = (error: unknown): boolean =>
  ['ECONNRESET', 'EPIPE'].includes((error as NodeJS.ErrnoException).code ?? '');

const replyError = (message: string): Error => Object.assign(new Error(message), { name: 'ReplyError' });

function commands(list: readonly (readonly string[])[]): Buffer {
  const writer = new ByteWriter();
  for (const words of list) {
    writer.utf8(`*${words.length}\r\n`);
    for (const word of words) writer.utf8(`$${Buffer.byteLength(word)}\r\n${word}\r\n`);
  }
  return Buffer.from(writer.take());
}
