/**
 * The loop of the local engine: looks at all runs, lets the next ones go, heals what a crash left, tells what changed,
 * and cleans away what was told long ago. It holds no truth of its own: all that it decides on is read from the disk.
 */
import { createKeyed } from "../../../mod/keyed.ts";
import type { Clock, Log } from "../../../mod/ports.ts";
import type { Reason, Run } from "../../../mod/run.ts";
import { orAbort } from "../../../mod/waiting.ts";
import type { Feed } from "../feed.ts";
import { type RunLook, viewOfRun } from "./files.ts";
import { createHealer } from "./heal.ts";
import type { Launcher } from "./launch.ts";
import { createQueue } from "./queue.ts";
import type { RunFolder } from "./runs.ts";

/** The engine's eye on its runs. */
export interface Supervisor {
  /** One look at everything. Asked while one is under way, it answers after a next one. */
  scan(signal: AbortSignal): Promise<void>;
  /** The runs of the last look that are live or not acknowledged. */
  current(): Run[];
  /** True if a run that the pipeline's schedule minted has not ended, as of the last look. */
  isRunningSlot(pipelineId: string): boolean;
  /** Why the queued run waits, as of the last look. */
  waiting(name: string): Reason | undefined;
  /** Told by whoever marked the run, so that no look that is under way tells it again. */
  acknowledged(name: string): void;
}

/** What the supervisor works with. */
export interface SupervisorOptions {
  /** The folder of runs. */
  runs: RunFolder;
  /** Starts wrappers. */
  launcher: Launcher;
  /** Hands what is new to the readers. */
  feed: Feed;
  /** Tells the time, and waits. */
  clock: Clock;
  /** Gets what goes wrong without ending anything. */
  log: Log;
  /** What the paths of private folders begin with. */
  memoryPrefix: string;
  /** How long an acknowledged run is kept after its end. */
  ttlSeconds: number;
  /** Runs that may be live at the same time. */
  maxRuns: number;
  /** Ends with the engine. */
  life: AbortSignal;
}

interface Entry {
  look: RunLook;
  /** The view that was published last. */
  told?: string;
}

/** A supervisor that has looked at nothing yet. */
export function createSupervisor(options: SupervisorOptions): Supervisor {
  const { runs, feed, clock, log, ttlSeconds, life } = options;
  const entries = new Map<string, Entry>();
  const healer = createHealer(options);
  const queue = createQueue(options);
  const oneByOne = createKeyed();
  const unreadable = new Set<string>();
  // A look that was under way when its run was acknowledged does not know it yet.
  const acknowledged = new Set<string>();

  const tell = (entry: Entry) => {
    if (entry.look.acknowledged) return;
    const run = viewOfRun(entry.look, queue.waiting(entry.look.name));
    const text = JSON.stringify(run);
    if (text === entry.told) return;
    entry.told = text;
    feed.publish({ kind: "run", run });
  };

  const lookAt = async (name: string): Promise<void> => {
    const known = entries.get(name);
    // What was told and has ended does not change any more, and there may be thousands of them.
    if (known?.look.ended !== undefined && known.look.acknowledged) return;
    try {
      const look = await runs.look(name);
      if (look === undefined) return;
      const healed = await healer.heal(look);
      if (acknowledged.has(name)) healed.acknowledged = true;
      entries.set(name, { look: healed, told: known?.told });
      unreadable.delete(name);
    } catch (error) {
      if (!unreadable.has(name)) log("error", "run-unreadable", { error, reason: name });
      unreadable.add(name);
    }
  };

  const dropVanished = async (names: ReadonlySet<string>): Promise<void> => {
    for (const [name, entry] of entries) {
      if (names.has(name)) continue;
      entries.delete(name);
      acknowledged.delete(name);
      queue.forget(name);
      if (entry.look.ended === undefined) {
        entry.look = { ...entry.look, ended: healer.vanished(entry.look) };
        tell(entry);
      }
      await healer.clean(name).catch((error) => log("error", "run-not-cleaned", { error, reason: name }));
    }
  };

  const sweep = async (): Promise<void> => {
    const limit = clock.now() - ttlSeconds * 1000;
    for (const [name, { look }] of entries) {
      if (!look.acknowledged || look.ended === undefined || Date.parse(look.ended.finished) > limit) continue;
      // Nothing is taken away on the word of memory alone.
      const now = await runs.look(name);
      if (now !== undefined && (now.ended === undefined || !now.acknowledged)) continue;
      await runs.discard(name);
      entries.delete(name);
      acknowledged.delete(name);
    }
  };

  const scanNow = async (): Promise<void> => {
    const names = await runs.names();
    for (const name of names) await lookAt(name);
    await dropVanished(new Set(names));
    try {
      const touched = await queue.release([...entries.values()].map((entry) => entry.look));
      for (const name of touched) await lookAt(name);
    } finally {
      // What is known is told, even where a run could not be released.
      for (const entry of entries.values()) tell(entry);
    }
    await sweep();
  };

  let next: Promise<void> | undefined;
  return {
    scan(signal) {
      // A scan that has not begun yet sees all that is there now: everybody who asks meanwhile shares it, and nobody's
      // abort ends it for the others.
      next ??= oneByOne.run(["scan"], () => {
        next = undefined;
        return scanNow();
      }, life);
      return orAbort(next, signal);
    },
    current: () =>
      [...entries.values()].filter(({ look }) => !look.acknowledged)
        .sort((a, b) => a.look.file.order - b.look.file.order)
        .map(({ look }) => viewOfRun(look, queue.waiting(look.name))),
    isRunningSlot: (pipelineId) =>
      [...entries.values()].some(({ look: { file, ended } }) =>
        file.pipelineId === pipelineId && file.origin === "schedule" && ended === undefined
      ),
    waiting: (name) => queue.waiting(name),
    acknowledged(name) {
      acknowledged.add(name);
      const entry = entries.get(name);
      if (entry === undefined) return;
      entry.look = { ...entry.look, acknowledged: true };
      feed.forget(entry.look.file.runId);
    },
  };
}
