/** How long to wait before dialling again: exponential with full jitter, so that many runners don't come back at once. */

/** The waits of one link. */
export interface Backoff {
  /** Milliseconds until the next try. The first after a good link is 0. */
  next(): number;
  /** Milliseconds for a refusal that only a human can mend: the cap, jittered by a tenth. */
  atCap(): number;
  /** The link was up for so long: forgives what was before if that was long enough. */
  held(ms: number): void;
}

/** A link that held this long was a good one. */
export const FORGIVEN_AFTER_MS = 60_000;

/** A backoff whose first wait is 0, then up to `baseMs`, twice that, and so on up to `capMs` (milliseconds). */
export function createBackoff(
  { baseMs, capMs, random }: { baseMs: number; capMs: number; random: { float(): number } },
): Backoff {
  let tries = 0;
  return {
    next(): number {
      const tried = tries++;
      if (tried === 0) return 0;
      return random.float() * Math.min(capMs, baseMs * 2 ** Math.min(tried - 1, 30));
    },
    atCap(): number {
      tries++;
      return capMs * (0.9 + random.float() * 0.1);
    },
    held(ms: number): void {
      if (ms >= FORGIVEN_AFTER_MS) tries = 0;
    },
  };
}
