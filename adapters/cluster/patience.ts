/** A limit on waiting beside the caller's own abort. */

/** A signal that aborts with the caller's, or when nothing was heard for the time allowed. */
export interface Patience {
  readonly signal: AbortSignal;
  /** True once the time was over. */
  readonly lost: boolean;
  /** Counts anew from now on. */
  begin(): void;
  /** Stops counting; the caller's abort still passes. */
  pause(): void;
  /** No timer and no listener is left. */
  end(): void;
}

/** Counts from the start. */
export function createPatience(outer: AbortSignal, ms: number): Patience {
  const inner = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let lost = false;
  const abort = () => inner.abort(outer.reason);
  const pause = () => clearTimeout(timer);
  const begin = () => {
    pause();
    timer = setTimeout(() => {
      lost = true;
      inner.abort(new Error(`nothing heard for ${ms / 1000} s`));
    }, ms);
  };
  outer.addEventListener("abort", abort, { once: true });
  if (outer.aborted) abort();
  begin();
  return {
    signal: inner.signal,
    get lost() {
      return lost;
    },
    begin,
    pause,
    end() {
      pause();
      outer.removeEventListener("abort", abort);
    },
  };
}
