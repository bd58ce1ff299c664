import { temporal } from '@temporalio/proto';
import { EMPTY_ANSWER, grpcProxy, messageOf, WORKFLOW_SERVICE, type GrpcCall } from './grpc-proxy.js';

const {
  PollActivityTaskQueueResponse,
  RespondActivityTaskCompletedRequest,
  RespondWorkflowTaskCompletedResponse,
} = temporal.api.workflowservice.v1;

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
  const loses = ({ path, body }: GrpcCall): boolean => {
    if (path !== `${WORKFLOW_SERVICE}RespondActivityTaskCompleted`) return false;
    const { taskToken } = RespondActivityTaskCompletedRequest.decode(messageOf(body));
    const type = types.get(token(taskToken)) ?? 'unknown';
    if (lost.includes(type)) return false;
    lost.push(type);
    return true;
  };
  const learn = (path: string, body: Buffer): void => {
    if (path === `${WORKFLOW_SERVICE}PollActivityTaskQueue`)
      know(PollActivityTaskQueueResponse.decode(messageOf(body)));
    // Activities may be handed out at once, with the answer to the workflow task that asked for them.
    if (path === `${WORKFLOW_SERVICE}RespondWorkflowTaskCompleted`)
      for (const task of RespondWorkflowTaskCompletedResponse.decode(messageOf(body)).activityTasks ?? [])
        know(task);
  };
  const proxy = await grpcProxy(upstream, async (call, pass) => {
    if (loses(call)) return EMPTY_ANSWER;
    const answer = await pass();
    learn(call.path, answer.body);
    return answer;
  });
  return {
    address: proxy.address,
    lost,
    [Symbol.asyncDispose]: () => proxy[Symbol.asyncDispose](),
  };
}
