/** Waiting in tests: on conditions only, each with a name and a generous limit, so that a hang fails by what it hung on. */

/** Limit of one wait, milliseconds: far above what a busy machine needs. */
const PATIENCE_MS = 60_000;
const LOOK_MS = 20;

/** Asks again and again until the answer is neither undefined nor false; a probe that throws counts as "not yet". */
export async function until<T>(
  what: string,
  probe: () => T | undefined | false | Promise<T | undefined | false>,
  { patienceMs = PATIENCE_MS, lookMs = LOOK_MS }: { patienceMs?: number; lookMs?: number } = {},
): Promise<T> {
  const end = performance.now() + patienceMs;
  let last: unknown;
  while (performance.now() < end) {
    try {
      const answer = await probe();
      if (answer !== undefined && answer !== false) return answer;
      last = undefined;
    } catch (error) {
      last = error;
    }
    await pause(lookMs);
  }
  throw new Error(`Cannot go on: ${what} did not come true in ${patienceMs / 1000} s`, { cause: last });
}

/** The promise's outcome, or a failure that names what was waited for. */
export async function within<T>(what: string, promise: Promise<T>, patienceMs = PATIENCE_MS): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new Error(`Cannot go on: ${what} did not come in ${patienceMs / 1000} s`)),
    patienceMs,
  );
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Lets every promise that can go on now go on: the queue of microtasks is empty when a new task begins. */
export function settled(): Promise<void> {
  return pause(0);
}

/** Lets time pass: only where the length of an outage is what the test is about. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
