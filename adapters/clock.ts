/** The platform's clock and chance. */
import type { Clock, Random } from "../mod/ports.ts";

/** setTimeout takes at most 2^31 - 1 ms (about 24 days); longer waits are made of several. */
const LONGEST_MS = 2_147_483_647;

/** The system's time, which may be set meanwhile, and its timers. */
export const systemClock: Clock = {
  now: () => Date.now(),
  async sleep(ms: number, signal: AbortSignal): Promise<void> {
    for (let left = ms; left > 0 || left === ms; left -= LONGEST_MS) await once(Math.min(left, LONGEST_MS), signal);
  },
};

/** `crypto.randomUUID` (version 4, RFC 9562), and `Math.random`: chance for jitter, not for secrets. */
export const systemRandom: Random = {
  uuid: () => crypto.randomUUID(),
  float: () => Math.random(),
};

function once(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const aborted = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", aborted);
      resolve();
    }, ms);
    signal.addEventListener("abort", aborted, { once: true });
  });
}
