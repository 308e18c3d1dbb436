import type { Clock } from "../../mod/ports.ts";

/** Real time that can be made to jump ahead: who sleeps past the jump wakes at once. */
export interface SteppingClock extends Clock {
  advance(ms: number): void;
}

/** Starts at the present. */
export function createSteppingClock(): SteppingClock {
  let ahead = 0;
  const sleepers = new Set<() => void>();
  const now = () => Date.now() + ahead;
  return {
    now,
    advance(ms) {
      ahead += ms;
      for (const look of [...sleepers]) look();
    },
    sleep(ms, signal) {
      return new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason);
        const until = now() + ms;
        let timer: ReturnType<typeof setTimeout> | undefined;
        const done = () => {
          clearTimeout(timer);
          sleepers.delete(look);
          signal.removeEventListener("abort", abort);
        };
        const abort = () => (done(), reject(signal.reason));
        const look = () => {
          clearTimeout(timer);
          if (now() >= until) return (done(), resolve());
          timer = setTimeout(look, Math.min(until - now(), 2 ** 31 - 1));
        };
        sleepers.add(look);
        signal.addEventListener("abort", abort, { once: true });
        look();
      });
    },
  };
}
