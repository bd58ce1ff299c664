import { once } from 'node:events';
import { connect, createServer, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { temporal } from '@temporalio/proto';

const {
  PollActivityTaskQueueResponse,
  RespondActivityTaskCompletedRequest,
  RespondWorkflowTaskCompletedResponse,
} = temporal.api.workflowservice.v1;
const SERVICE = '/temporal.api.workflowservice.v1.WorkflowService/';

/** A proxy before a Temporal server that loses answers. */
export interface LossyTemporal extends AsyncDisposable {
  readonly address: string;
  /** The activity types whose completion was lost, in order. */
  readonly lost: readonly string[];
}

/**
 * Lets everything pass but the first completion of each activity type: the worker is told that it arrived, and the server never hears of
 * it. (What passes is HTTP/2 as gRPC uses it; messages are read only to know which activity a completion belongs to.)
 */
export async function lossyTemporal(upstream: string): Promise<LossyTemporal> {
  const types = new Map<string, string>();
  const lost: string[] = [];
  const token = (bytes: Uint8Array | null | undefined): string => Buffer.from(bytes ?? []).toString('hex');
  const know = (task: {
    taskToken?: Uint8Array | null;
    activityType?: { name?: string | null } | null;
  }): void => {
    if (task.taskToken?.length) types.set(token(task.taskToken), task.activityType?.name ?? '');
  };
  const loses = (path: string, body: Buffer): boolean => {
    if (path !== `${SERVICE}RespondActivityTaskCompleted`) return false;
    const { taskToken } = RespondActivityTaskCompletedRequest.decode(message(body));
    const type = types.get(token(taskToken)) ?? 'unknown';
    if (lost.includes(type)) return false;
    lost.push(type);
    return true;
  };
  const learn = (path: string, body: Buffer): void => {
    if (path === `${SERVICE}PollActivityTaskQueue`) know(PollActivityTaskQueueResponse.decode(message(body)));
    // Activities may be handed out at once, with the answer to the workflow task that asked for them.
    if (path === `${SERVICE}RespondWorkflowTaskCompleted`)
      for (const task of RespondWorkflowTaskCompletedResponse.decode(message(body)).activityTasks ?? [])
        know(task);
  };

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
      void pass(stream, headers).catch(() => stream.destroy());
    });
    const pass = async (stream: ServerHttp2Stream, headers: Record<string, unknown>): Promise<void> => {
      stream.on('error', () => undefined);
      const path = String(headers[':path']);
      const sent = await collect(stream);
      if (loses(path, sent)) {
        stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
        stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
        stream.end(Buffer.alloc(5));
        return;
      }
      const request = onward.request(
        Object.fromEntries(Object.entries(headers).filter(([name]) => name !== 'connection')) as Record<
          string,
          string
        >,
      );
      stream.on('close', () => request.close());
      request.on('error', () => stream.destroy());
      let answer: Record<string, unknown> = {};
      let trailers: Record<string, unknown> = {};
      request.on('response', (found) => void (answer = found));
      request.on('trailers', (found) => void (trailers = found as Record<string, unknown>));
      request.end(sent);
      const received = await collect(request);
      learn(path, received);
      if (stream.destroyed) return;
      stream.respond(answer as Record<string, string>, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers(trailers as Record<string, string>));
      stream.end(received);
    };
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    lost,
    async [Symbol.asyncDispose]() {
      for (const session of sessions) session.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** The message of a gRPC call with one: a byte that says whether it is compressed, its length, its bytes. */
function message(body: Buffer): Buffer {
  const bytes = body.subarray(5);
  return body[0] === 1 ? gunzipSync(bytes) : bytes;
}

async function collect(stream: AsyncIterable<unknown>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
