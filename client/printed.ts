/** Node's own hook for console.log, by its public name. */
const INSPECT = Symbol.for('nodejs.util.inspect.custom');

/** One value as it is printed: all digits, texts in quotes. */
export function printed(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(printed).join(', ')}]`;
  if (value instanceof Uint8Array) return `0x${Buffer.from(value).toString('hex')}`;
  return String(value);
}

/** Values in order that print as `[319]`; by name as `named`. As JSON they are a list. */
export type Vector<Named = Readonly<Record<string, unknown>>> = readonly Named[keyof Named][] & {
  readonly named: Named;
};

/** A list of values with their names; frozen. */
export function vector<Named>(names: readonly string[], values: readonly unknown[]): Vector<Named> {
  const list: unknown[] = [...values];
  const named = Object.freeze(Object.fromEntries(names.map((name, i) => [name, values[i]])));
  const text = (): string => printed(values);
  for (const [key, value] of [
    ['named', named],
    ['toString', text],
    [INSPECT, text],
  ] as const)
    Object.defineProperty(list, key, { value });
  return Object.freeze(list) as unknown as Vector<Named>;
}

/** A row of a training set; prints as `Features: [25] , Label: [false]`. */
export class Example<Row, LabelName extends string = string> {
  /** The features in the training set's order, and by name as `features.named`. */
  readonly features: Vector<Omit<Row, LabelName>>;
  readonly label: LabelName extends keyof Row ? Row[LabelName] : unknown;

  constructor(features: Vector<Omit<Row, LabelName>>, label: unknown) {
    this.features = features;
    this.label = label as typeof this.label;
  }

  toString(): string {
    return `Features: ${printed(this.features)} , Label: [${printed(this.label)}]`;
  }

  [INSPECT](): string {
    return this.toString();
  }
}
