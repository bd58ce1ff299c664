import { connect, createServer, type Socket } from 'node:net';

/** A way to the S3 server that a test watches and disturbs. */
export interface S3Proxy extends AsyncDisposable {
  readonly url: string;
  /** The requests that passed, such as `GET /granary/x`. */
  readonly requests: string[];
  /** Lets so many bytes more through to the server, and then none. */
  holdAfter(bytes: number): void;
  /** Cuts the connection once, after so many bytes more from the server. */
  cutAfter(bytes: number): void;
  /** Passes the next request on whose first line matches, and cuts the connection in place of its answer. */
  loseAnswerTo(line: RegExp): void;
  /** Holds back the answers to requests whose first line matches, until the function that it returns is called. */
  holdAnswersTo(line: RegExp): () => void;
  /** How many answers were lost. */
  readonly lost: () => number;
}

export async function s3Proxy(target: string): Promise<S3Proxy> {
  const { hostname, port } = new URL(target);
  const open = new Set<Socket>();
  const requests: string[] = [];
  let up = Infinity;
  let down = Infinity;
  let lose: RegExp | undefined;
  let hold: RegExp | undefined;
  const held = new Set<Socket>();
  let lost = 0;
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const upstream = connect({ port: Number(port), host: hostname, allowHalfOpen: true });
    open.add(client).add(upstream);
    let isLost = false;
    client.on('data', (chunk) => {
      if (lose?.test(chunk.toString('latin1').split('\r\n', 1)[0] ?? '')) {
        lose = undefined;
        isLost = true;
      }
      const request = /^((?:GET|PUT|POST|HEAD|DELETE) [^ ?]+)\S* HTTP/.exec(chunk.toString('latin1'))?.[1];
      if (request !== undefined) requests.push(request);
      if (request !== undefined && hold?.test(request)) {
        upstream.pause();
        held.add(upstream);
      }
      up -= chunk.length;
      if (up > 0) upstream.write(chunk);
    });
    upstream.on('data', (chunk) => {
      // Only the leave to send the body passes.
      if (isLost && !chunk.toString('latin1').startsWith('HTTP/1.1 100')) {
        lost++;
        return void client.destroy();
      }
      down -= chunk.length;
      if (down > 0) return void client.write(chunk);
      down = Infinity;
      client.destroy();
    });
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      one.on('end', () => other.end());
      one.on('error', () => other.destroy());
      one.on('close', () => {
        open.delete(one);
        other.end();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    url: `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`,
    requests,
    holdAfter: (bytes) => (up = bytes),
    cutAfter: (bytes) => (down = bytes),
    loseAnswerTo: (line) => (lose = line),
    holdAnswersTo: (line) => {
      hold = line;
      return () => {
        hold = undefined;
        for (const socket of held) socket.resume();
        held.clear();
      };
    },
    lost: () => lost,
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
