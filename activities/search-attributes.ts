import { Context } from '@temporalio/activity';
import { SEARCH_ATTRIBUTES } from '../definitions/search-attributes.js';

/** `temporal.api.enums.v1.IndexedValueType`, of the types that are used. */
const TYPES = { KEYWORD: 2, DATETIME: 6 } as const;

/** How long an answer counts. One of "no" soon turns into another: somebody registers them. */
const KEEP_MS = { yes: 300_000, no: 5000 } as const;

interface Operator {
  listSearchAttributes(request: {
    namespace: string;
  }): Promise<{ readonly customAttributes?: Readonly<Record<string, number>> | null }>;
}

/** Whether the server has Granary's search attributes; asked once for all runs of a worker, and again after a while. */
export class SearchAttributes {
  #known: boolean | undefined;
  #until = 0;

  /** For the activity at hand. A server that does not say has none. */
  async known(): Promise<boolean> {
    if (this.#known !== undefined && Date.now() < this.#until) return this.#known;
    this.#known = await ask();
    this.#until = Date.now() + (this.#known ? KEEP_MS.yes : KEEP_MS.no);
    return this.#known;
  }
}

async function ask(): Promise<boolean> {
  try {
    const { connection, options } = Context.current().client;
    if (!('operatorService' in connection)) return false;
    const operator = connection.operatorService as Operator;
    const { customAttributes } = await connection.withDeadline(Date.now() + 5000, () =>
      operator.listSearchAttributes({ namespace: options.namespace }),
    );
    return Object.entries(SEARCH_ATTRIBUTES).every(
      ([name, type]) => customAttributes?.[name] === TYPES[type],
    );
  } catch {
    // Not permitted to ask, or too slow: a run goes without them.
    return false;
  }
}
