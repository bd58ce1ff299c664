import { median } from '../median.js';
import type { Measurement } from './round.js';

/** A round's measurements by name. */
type Round = ReadonlyMap<string, Measurement>;

/** The lines of the table, and the end of the names that each is held against. */
const LINES = [
  ['redis-cli --pipe, new', 'new'],
  ['blind HSET, new', 'new'],
  ['newer wins, new', 'new'],
  ['redis-cli --pipe, over older', 'over older'],
  ['blind HSET, over older', 'over older'],
  ['newer wins, over older', 'over older'],
  ['newer wins, replayed', 'over older'],
  ['newer wins, older rows', 'over older'],
  ['newer wins, of a file', 'of a file'],
  ['feast materialize, of a file', 'of a file'],
] as const;

/** The medians of some rounds as a Markdown table; ratios are taken within a round. */
export function table(rounds: readonly Round[]): string {
  const of = (name: string, value: (measured: Measurement, round: Round) => number): number =>
    median(
      rounds.flatMap((round) => {
        const measured = round.get(name);
        return measured ? [value(measured, round)] : [];
      }),
    );
  const lines = LINES.map(([name, state]) => {
    const against =
      (other: string) =>
      ({ rate }: Measurement, round: Round): number =>
        rate / (round.get(`${other}, ${state}`)?.rate ?? NaN);
    return [
      name,
      Math.round(of(name, ({ rate }) => rate)).toLocaleString('en'),
      digits(of(name, against('redis-cli --pipe')), 2),
      digits(of(name, against('blind HSET')), 2),
      digits(of(name, against('feast materialize')), 1),
      digits(
        of(name, ({ clientCpu }) => clientCpu),
        2,
      ),
      digits(
        of(name, ({ serverCpu }) => serverCpu),
        2,
      ),
      digits(
        of(name, ({ peakMiB }) => peakMiB),
        0,
      ),
      digits(
        of(
          name,
          ({ peakMiB }, round) => peakMiB / (round.get(`feast materialize, ${state}`)?.peakMiB ?? NaN),
        ),
        2,
      ),
    ];
  });
  const head = [
    'load',
    'entities/s',
    'x of redis-cli --pipe',
    'x of blind HSET',
    'x of feast materialize',
    'client cores',
    'server cores',
    'peak RSS, MiB',
    'x of feast materialize',
  ];
  return [head, head.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function digits(value: number, count: number): string {
  return Number.isNaN(value) ? '' : value.toFixed(count);
}
