/** A loop that goes on whatever happens in it. */
import { reasonOf } from "../../mod/fault.ts";
import type { Clock, Log } from "../../mod/ports.ts";
import { createBell } from "../../mod/waiting.ts";

/** A loop that is going. */
export interface Loop {
  /** Ends the present pause. */
  ring(): void;
  /** What the last round met with; undefined if it went well. */
  trouble(): string | undefined;
  /** Resolves when the loop has ended. */
  done: Promise<void>;
}

/** What to do, and for how long. */
export interface LoopOptions {
  /** For the log. */
  name: string;
  /** Tells the time, and waits. */
  clock: Clock;
  /** Gets what goes wrong without ending anything. */
  log: Log;
  /** Ends with the engine. */
  life: AbortSignal;
  /** One round; answers how long to pause at most, in milliseconds. */
  round(): Promise<number>;
}

/** The pause after a round that failed. */
const AFTER_FAILURE_MS = 2_000;

/** Starts it; it ends with `life`. */
export function startLoop({ name, clock, log, life, round }: LoopOptions): Loop {
  const bell = createBell();
  let trouble: string | undefined;
  const run = async () => {
    while (!life.aborted) {
      let pause = AFTER_FAILURE_MS;
      try {
        pause = await round();
        trouble = undefined;
      } catch (error) {
        if (life.aborted) return;
        // The same trouble at every round is one line in the log.
        if (reasonOf(error) !== trouble) log("error", "loop-failed", { loop: name, error });
        trouble = reasonOf(error);
      }
      await bell.wait(pause, clock, life).catch(() => {});
    }
  };
  return { ring: bell.ring, trouble: () => trouble, done: run() };
}

/** Calls `changed` at every change of the folder's own entries, as far as the system can tell. */
export function watchFolder(path: string, changed: () => void, log: Log, life: AbortSignal): void {
  let watcher: Deno.FsWatcher;
  try {
    watcher = Deno.watchFs(path, { recursive: false });
  } catch (error) {
    // The limit of watches, mostly. The safety look every two seconds is then all there is.
    return log("warn", "watch-failed", { loop: "local-engine", error });
  }
  const close = () => watcher.close();
  life.addEventListener("abort", close, { once: true });
  const read = async () => {
    for await (const event of watcher) if (event.kind !== "access") changed();
  };
  read().catch((error) => life.aborted || log("warn", "watch-failed", { loop: "local-engine", error }));
}
