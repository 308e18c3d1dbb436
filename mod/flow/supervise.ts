/** Loops that never end by themselves: one that fails is told, and goes on after a pause. Liveness looks at their ages. */
import { isFault } from "../fault.ts";
import type { Clock, Log } from "../ports.ts";

/** The loops of one program. */
export interface Loops {
  /**
   * Runs `body` again and again until the signal aborts. `withinSeconds` is how often a healthy body calls `beat`;
   * without it the loop may wait as long as it likes.
   */
  supervise(
    name: string,
    body: (beat: () => void) => Promise<void>,
    options: { withinSeconds?: number },
  ): Promise<void>;
  /** Each loop's age (seconds since its last sign of life) and how often it was started anew. */
  ages(): { name: string; seconds: number; restarts: number; stuck: boolean }[];
}

const PAUSE_MS = 1000;

/** No loops yet; `signal` ends all that will be. */
export function createLoops({ clock, log, signal }: { clock: Clock; log: Log; signal: AbortSignal }): Loops {
  const loops = new Map<string, { beatAt: number; restarts: number; withinSeconds: number }>();

  return {
    async supervise(name, body, { withinSeconds = Infinity }) {
      const loop = { beatAt: clock.now(), restarts: 0, withinSeconds };
      loops.set(name, loop);
      while (!signal.aborted) {
        try {
          await body(() => (loop.beatAt = clock.now()));
          if (signal.aborted) return;
        } catch (error) {
          if (signal.aborted) return;
          log(isFault(error) && error.code !== "internal" ? "warn" : "error", "loop.failed", { loop: name, error });
        }
        loop.restarts++;
        loop.beatAt = clock.now();
        await clock.sleep(PAUSE_MS, signal).catch(() => {});
      }
    },
    ages() {
      const now = clock.now();
      return [...loops].map(([name, { beatAt, restarts, withinSeconds }]) => {
        const seconds = (now - beatAt) / 1000;
        return { name, seconds, restarts, stuck: seconds > withinSeconds };
      });
    },
  };
}
