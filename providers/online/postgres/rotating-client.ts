import pg from 'pg';

/** A pool's client that asks for the URL when it is made: a rotated password is that of the next connection. */
export function rotatingClient(url: () => string): typeof pg.Client {
  let known = url();
  return class extends pg.Client {
    constructor(config?: string | pg.ClientConfig) {
      try {
        known = url();
      } catch {
        // A secret that is being replaced may be absent for a moment: what was known may still do.
      }
      super({ ...(typeof config === 'object' ? config : {}), connectionString: known });
    }
  };
}
