import { setTimeout as sleep } from 'node:timers/promises';

/** Waits until something holds. For code that concurrent tests share, where `expect.poll` does not know its test. */
export async function until(
  what: string,
  holds: () => Promise<boolean>,
  { timeoutMs }: { readonly timeoutMs: number },
): Promise<void> {
  for (const end = Date.now() + timeoutMs; Date.now() < end; await sleep(50)) if (await holds()) return;
  throw new Error(`${what}: not within ${timeoutMs / 1000} s`);
}
