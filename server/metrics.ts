import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { StatusCounts } from './answer.js';

const FEATURE_BINS = [10, 50, 200];

/** The server's metrics, under Feast's names where Feast has one. */
export class Metrics {
  readonly registry = new Registry();
  readonly #requests = new Counter({
    name: 'feast_feature_server_request_total',
    help: 'Requests by endpoint and whether they were answered: success, or error from HTTP status 400',
    labelNames: ['endpoint', 'status'] as const,
    registers: [this.registry],
  });
  readonly #answers = new Counter({
    name: 'granary_feature_server_answers_total',
    help: 'Answers by endpoint and HTTP status',
    labelNames: ['endpoint', 'code'] as const,
    registers: [this.registry],
  });
  readonly #latency = new Histogram({
    name: 'feast_feature_server_request_latency_seconds',
    help: 'Seconds from the head of a request to the end of its answer',
    labelNames: ['endpoint', 'feature_count', 'feature_view_count'] as const,
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: [this.registry],
  });
  readonly #features = new Counter({
    name: 'feast_online_features_request_total',
    help: 'Requests for online features',
    registers: [this.registry],
  });
  readonly #entities = new Histogram({
    name: 'feast_online_features_entity_count',
    help: 'Entities a request for online features',
    buckets: [1, 5, 10, 25, 50, 100, 250, 500, 1000],
    registers: [this.registry],
  });
  readonly #statuses = new Counter({
    name: 'feast_online_features_status_total',
    help: 'Values that were served, by view and status',
    labelNames: ['feature_view', 'status'] as const,
    registers: [this.registry],
  });
  readonly #reads = new Histogram({
    name: 'feast_feature_server_online_store_read_duration_seconds',
    help: 'Seconds that the online stores took to answer a request',
    buckets: [0.0005, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: [this.registry],
  });
  readonly #open = new Gauge({
    name: 'granary_feature_server_open_requests',
    help: 'Requests under way',
    registers: [this.registry],
  });
  readonly #children = new Map<string, { inc(by?: number): void }>();
  readonly #timers = new Map<string, { observe(seconds: number): void }>();

  began(): void {
    this.#open.inc();
  }

  /** A request was answered. `features` and `views` are known of requests for online features. */
  ended(endpoint: string, status: number, seconds: number, features = 0, views = 0): void {
    this.#open.dec();
    this.#child(`${endpoint} ${status}`, () => {
      // The words of Feast's server.
      const requests = this.#requests.labels({ endpoint, status: status < 400 ? 'success' : 'error' });
      const answers = this.#answers.labels({ endpoint, code: String(status) });
      return {
        inc() {
          requests.inc();
          answers.inc();
        },
      };
    }).inc();
    const key = `${endpoint} ${features} ${views}`;
    let timer = this.#timers.get(key);
    if (!timer) {
      const labels = { endpoint, feature_count: bin(features), feature_view_count: String(views) };
      this.#timers.set(key, (timer = this.#latency.labels(labels)));
    }
    timer.observe(seconds);
  }

  served(entities: number, readSeconds: number, statuses: readonly StatusCounts[]): void {
    this.#features.inc();
    this.#entities.observe(entities);
    this.#reads.observe(readSeconds);
    for (const { view, counts } of statuses)
      for (const [status, count] of Object.entries(counts))
        if (count > 0)
          this.#child(`${view} ${status}`, () =>
            this.#statuses.labels({ feature_view: view, status: status.toLowerCase() }),
          ).inc(count);
  }

  /** A metric of some labels, looked up once. */
  #child(key: string, make: () => { inc(by?: number): void }): { inc(by?: number): void } {
    const known = this.#children.get(key);
    if (known) return known;
    const made = make();
    this.#children.set(key, made);
    return made;
  }
}

/** `1-10`, `11-50`, ... as Feast's server bins them. */
function bin(count: number): string {
  if (count === 0) return '0';
  const place = FEATURE_BINS.findIndex((upper) => count <= upper);
  const lower = (FEATURE_BINS.at(place < 0 ? -1 : place - 1) ?? 0) + 1;
  if (place < 0) return `${lower}+`;
  return `${place === 0 ? 1 : lower}-${FEATURE_BINS[place] ?? count}`;
}
