import { stripVTControlCharacters, styleText } from 'node:util';

type Color = 'green' | 'red' | 'yellow' | 'bold' | 'dim';

/** What of a stream says whether it shows colours. */
interface Screen {
  readonly isTTY?: boolean;
  hasColors?(): boolean;
}

/** Whether a stream is written in colours: `NO_COLOR` forbids them, `FORCE_COLOR` wants them, else a terminal that has some. */
export function hasColors(stream: Screen, env: NodeJS.ProcessEnv = process.env): boolean {
  if ((env['NO_COLOR'] ?? '') !== '') return false;
  const forced = env['FORCE_COLOR'];
  if (forced !== undefined) return forced !== '0' && forced !== 'false';
  return stream.isTTY === true && stream.hasColors?.() === true;
}

/** A text in a colour, wherever it goes. Node would ask stdout, also for what goes to stderr. */
export const styled = (color: Color, text: string): string =>
  styleText(color, text, { validateStream: false });

/** A text in a colour, where the stream (by default stdout) shows colours. */
export const paint = (color: Color, text: string, stream: Screen = process.stdout): string =>
  text !== '' && hasColors(stream) ? styled(color, text) : text;

const COLORS: Readonly<Record<string, Color>> = {
  ...{ COMPLETED: 'green', READY: 'green', valid: 'green', healthy: 'green', completed: 'green' },
  ...{ ok: 'green', fixed: 'green', warning: 'yellow' },
  ...{ FAILED: 'red', TERMINATED: 'red', DEADLINE_EXCEEDED: 'red', failed: 'red', error: 'red' },
  ...{ RUNNING: 'yellow', CANCELLED: 'yellow', stale: 'yellow', running: 'yellow', cancelled: 'yellow' },
};

/** A status word in its colour; other texts as they are. */
export function status(word: string): string {
  const color = COLORS[word];
  return color === undefined ? word : paint(color, word);
}

/** A text as wide as asked for, whatever its colours. */
export const padded = (text: string, width: number): string =>
  text + ' '.repeat(Math.max(0, width - widthOf(text)));

/** Characters of a text that are seen. */
export const widthOf = (text: string): number => stripVTControlCharacters(text).length;
