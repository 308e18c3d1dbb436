/** What becomes of runs that nobody runs any more. */
import type { Clock, Log } from "../../../mod/ports.ts";
import type { EndedFile, RunLook } from "./files.ts";
import { privateNames, removePrivate } from "./private.ts";
import { instantAfter, type RunFolder } from "./runs.ts";

/** Ends what nobody runs any more. */
export interface Healer {
  /** The look as it is after a claimed run without a living wrapper was ended. */
  heal(look: RunLook): Promise<RunLook>;
  /** The end of a run whose folder was taken away from outside. */
  vanished(look: RunLook): EndedFile;
  /** Takes the resolved document of a run that is gone away, unless its wrapper still lives. */
  clean(name: string): Promise<void>;
  /** The same for every run: after a crash of runner and wrapper alike. */
  cleanAll(): Promise<void>;
}

/** What healing needs. */
export interface HealerOptions {
  /** The folder of runs. */
  runs: RunFolder;
  /** Tells the time, and waits. */
  clock: Clock;
  /** Gets what goes wrong without ending anything. */
  log: Log;
  /** What the paths of private folders begin with. */
  memoryPrefix: string;
}

/** A healer of the folder's runs. */
export function createHealer({ runs, clock, log, memoryPrefix }: HealerOptions): Healer {
  const end = (look: RunLook, verdict: Omit<EndedFile, "started" | "finished">): EndedFile => {
    const started = look.running?.started;
    const finished = instantAfter(clock.now(), look.file.created, started);
    return { ...verdict, ...(started === undefined ? {} : { started }), finished };
  };
  const stopped = { state: "stopped", reason: { code: "Stopped", message: "A stop was asked" } } as const;

  const self: Healer = {
    async heal(look) {
      if (look.ended !== undefined || !look.claimed) return look;
      // The wrapper takes its lock before its claim and keeps it: a claimed run whose lock is free has lost it.
      const lock = await runs.takeLock(look.name);
      if (lock === undefined) return look;
      try {
        // It may have ended in good order since we looked.
        const now = await runs.look(look.name) ?? look;
        if (now.ended !== undefined) return now;
        const lost = { code: "Lost", message: "The process that ran the job is gone" };
        await runs.end(look.name, end(now, now.endedBy === "stop" ? stopped : { state: "failed", reason: lost }));
        await removePrivate(memoryPrefix, look.name);
        log("warn", "run-lost", { runId: look.file.runId, pipelineId: look.file.pipelineId });
        return await runs.look(look.name) ?? now;
      } finally {
        lock.close();
      }
    },
    vanished(look) {
      const reason = { code: "deleted", message: "The run was deleted from outside before it ended" };
      return end(look, look.endedBy === "stop" ? stopped : { state: "failed", reason });
    },
    async clean(name) {
      // With the folder gone there is no lock to ask; the wrapper sees the same within a moment, kills the job, and
      // removes the document itself. Taking it away earlier does no harm to anybody else.
      await removePrivate(memoryPrefix, name);
    },
    async cleanAll() {
      for (const name of await privateNames(memoryPrefix)) {
        const look = await runs.look(name);
        if (look === undefined || look.ended !== undefined) await removePrivate(memoryPrefix, name);
      }
    },
  };
  return self;
}
