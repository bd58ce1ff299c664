import { once } from 'node:events';
import { connect, createServer, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';

/** A call of gRPC: its path, and its body as it was sent. */
export interface GrpcCall {
  readonly path: string;
  readonly body: Buffer;
}

/** What a server answered. */
export interface GrpcAnswer {
  readonly headers: Readonly<Record<string, unknown>>;
  readonly trailers: Readonly<Record<string, unknown>>;
  readonly body: Buffer;
}

/** What is done with a call; `pass` hands it on to the server. */
export type Between = (call: GrpcCall, pass: () => Promise<GrpcAnswer>) => Promise<GrpcAnswer>;

/** The service of Temporal that clients and workers call. */
export const WORKFLOW_SERVICE = '/temporal.api.workflowservice.v1.WorkflowService/';

/** An empty message that went well. */
export const EMPTY_ANSWER: GrpcAnswer = {
  headers: { ':status': 200, 'content-type': 'application/grpc' },
  trailers: { 'grpc-status': '0' },
  body: Buffer.alloc(5),
};

/** A proxy before a server of gRPC (HTTP/2 without TLS) that does with each call what it is told. */
export async function grpcProxy(
  upstream: string,
  between: Between,
): Promise<AsyncDisposable & { readonly address: string }> {
  const sessions = new Set<ServerHttp2Session>();
  const server = createServer();
  server.on('session', (session) => {
    const onward = connect(`http://${upstream}`);
    onward.on('error', () => session.destroy());
    onward.on('close', () => session.destroy());
    session.on('close', () => onward.destroy());
    session.on('error', () => undefined);
    sessions.add(session);
    session.on('close', () => sessions.delete(session));
    session.on('stream', (stream: ServerHttp2Stream, headers) => {
      void serve(stream, headers).catch(() => stream.destroy());
    });
    const serve = async (stream: ServerHttp2Stream, headers: Record<string, unknown>): Promise<void> => {
      stream.on('error', () => undefined);
      const call = { path: String(headers[':path']), body: await collect(stream) };
      const answer = await between(call, async () => {
        const request = onward.request(
          Object.fromEntries(Object.entries(headers).filter(([name]) => name !== 'connection')) as Record<
            string,
            string
          >,
        );
        stream.on('close', () => request.close());
        request.on('error', () => stream.destroy());
        let answered: Record<string, unknown> = {};
        let trailers: Record<string, unknown> = {};
        request.on('response', (found) => void (answered = found));
        request.on('trailers', (found) => void (trailers = found as Record<string, unknown>));
        request.end(call.body);
        return { body: await collect(request), headers: answered, trailers };
      });
      if (stream.destroyed) return;
      // An error may come as headers alone.
      if (answer.headers['grpc-status'] !== undefined) {
        stream.respond(answer.headers as Record<string, string>, { endStream: true });
        return;
      }
      stream.respond(answer.headers as Record<string, string>, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers(answer.trailers as Record<string, string>));
      stream.end(answer.body);
    };
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      for (const session of sessions) session.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** The message of a gRPC call with one: a byte that says whether it is compressed, its length, its bytes. */
export function messageOf(body: Buffer): Buffer {
  const bytes = body.subarray(5);
  return body[0] === 1 ? gunzipSync(bytes) : bytes;
}

async function collect(stream: AsyncIterable<unknown>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
