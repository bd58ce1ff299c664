/**
 * The real servers that the demo, the tests and the benches run against, without Docker: Temporal's development
 * server, Postgres, Valkey or Redis, and SeaweedFS for S3, on free loopback ports, with their data in one folder.
 */

export type ServiceName = 'temporal' | 'postgres' | 'redis' | 's3';

/** Says one thing about one part: where it came from, its address, how long it took. */
export type Log = (part: ServiceName | 'services', message: string) => void;

export interface ServicesOptions {
  /** The folder for data, logs and records (default: `.granary/services` in this checkout). Two folders are two sets of servers. */
  readonly dir?: string | undefined;
}

export interface StartOptions extends ServicesOptions {
  /** Which parts are wanted (default: all). */
  readonly only?: readonly ServiceName[] | undefined;
  /** The folder that keeps downloaded programs (default: `.granary/bin` in this checkout). */
  readonly programs?: string | undefined;
  /** Default: a line on standard error. */
  readonly log?: Log | undefined;
  /** Gives up: what was begun is stopped, and the call rejects. */
  readonly signal?: AbortSignal | undefined;
}

/** The variables by which programs find the services. One is absent when its part is missing or was not wanted. */
export interface ServicesEnvironment {
  readonly TEMPORAL_ADDRESS?: string;
  readonly TEMPORAL_UI_ADDRESS?: string;
  readonly DATABASE_URL?: string;
  readonly REDIS_URL?: string;
  readonly S3_ENDPOINT?: string;
  /** The keys and the region of the S3 server that was started; the bucket is `granary`. */
  readonly AWS_ACCESS_KEY_ID?: string;
  readonly AWS_SECRET_ACCESS_KEY?: string;
  readonly AWS_REGION?: string;
}

/** Control of one server, for tests that kill it and start it again. */
export interface ServiceHandle {
  readonly name: ServiceName;
  /** Undefined while it does not run. */
  readonly pid: number | undefined;
  /** Sends a signal (default: SIGKILL) and, but for SIGSTOP and SIGCONT, waits until the process is gone. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Starts it again on the same ports and data, and waits until it answers. */
  start(): Promise<void>;
}

export interface Services {
  readonly env: ServicesEnvironment;
  /** Parts that cannot be had here and that we can do without: `redis`, `s3`, or nothing. */
  readonly missing: readonly ServiceName[];
  /** One for each server that runs here; none for a part whose address was given by its variable. */
  readonly handles: Readonly<Partial<Record<ServiceName, ServiceHandle>>>;
  /** Lets the servers run on after `stop()` and after this process, until `stopServices`. */
  keep(): Promise<void>;
  /** Ends this caller's use. The last one to leave stops the servers. */
  stop(): Promise<void>;
}

/**
 * Starts what does not run yet, all parts at once, and resolves when every one answers. Any number of processes
 * may call it on one folder; they share the servers. An address variable that is set (TEMPORAL_ADDRESS,
 * DATABASE_URL, REDIS_URL, S3_ENDPOINT) stands in for its part. Rejects, with what to do about it, when Temporal or Postgres
 * cannot be had, and when a download is not the pinned file.
 */
export function startServices(options?: StartOptions): Promise<Services>;

/** Stops the servers of a folder, whoever uses them. Their data stays. */
export function stopServices(options?: ServicesOptions & { readonly log?: Log | undefined }): Promise<void>;

/** Stops them and removes their data. Downloaded programs stay. */
export function purgeServices(options?: ServicesOptions & { readonly log?: Log | undefined }): Promise<void>;

/** What runs in a folder now. */
export function serviceStatus(options?: ServicesOptions): readonly {
  readonly name: ServiceName;
  readonly pid: number | undefined;
  readonly env: ServicesEnvironment;
}[];

/** The handle of a server that some process started in this folder. */
export function serviceHandle(name: ServiceName, options?: ServicesOptions): ServiceHandle;

/**
 * The environment of a program that is to use these services: this process' own, without what leads elsewhere where a server is ours (Temporal's
 * namespace and keys, AWS' profile), with their addresses. `dir` is a folder for empty configuration files.
 */
export function environmentFor(services: Services, dir: string): NodeJS.ProcessEnv;

/** Runs `work` while no other process runs its own under the same folder. `waiting` hears who is before it, once, and may throw to give up. */
export function withLock<T>(
  folder: string,
  work: () => Promise<T>,
  options?: { readonly signal?: AbortSignal | undefined; readonly waiting?: (pid: number) => void },
): Promise<T>;

/** What tells this process from any that gets its pid later. */
export function ownIdentity(): { readonly pid: number; readonly started: string | undefined };

/** Whether the process that was written down so still runs. */
export function isAlive(identity: { readonly pid?: number; readonly started?: string | undefined }): boolean;
