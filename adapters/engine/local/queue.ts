/** Who may go next: the oldest queued run of each pipeline whose runs exclude each other, while there is room. */
import type { Clock, Log } from "../../../mod/ports.ts";
import { reasonOf } from "../../../mod/fault.ts";
import type { Reason } from "../../../mod/run.ts";
import type { EndedFile, RunLook } from "./files.ts";
import type { Launcher } from "./launch.ts";
import { instantAfter, type RunFolder } from "./runs.ts";

/** Decides who goes next. */
export interface Queue {
  /** Launches what may go, ends what was stopped while it waited; the names of runs that changed. */
  release(looks: readonly RunLook[]): Promise<string[]>;
  /** Why the queued run waits; undefined if nothing is in its way. */
  waiting(name: string): Reason | undefined;
  /** Drops what is remembered of a run that is gone. */
  forget(name: string): void;
}

/** What the queue works with. */
export interface QueueOptions {
  /** The folder of runs. */
  runs: RunFolder;
  /** Starts wrappers. */
  launcher: Launcher;
  /** Tells the time, and waits. */
  clock: Clock;
  /** Gets what goes wrong without ending anything. */
  log: Log;
  /** Runs that may be live at the same time. */
  maxRuns: number;
}

/** Wrappers that may be starting up at the same time: each needs a fifth of a second of processor. */
const STARTING_MAX = 4;
/** A wrapper that shows nothing for so long is taken for stillborn and replaced: the claim makes a second one harmless. */
const LAUNCH_PATIENCE_MS = 15_000;
const LAUNCHES_MAX = 3;

/** A queue that remembers only launches under way and reasons for waiting. */
export function createQueue({ runs, launcher, clock, log, maxRuns }: QueueOptions): Queue {
  const launches = new Map<string, { count: number; at: number }>();
  const reasons = new Map<string, Reason>();

  const endUnrun = async (look: RunLook, verdict: Omit<EndedFile, "finished">): Promise<void> => {
    // The claim keeps every wrapper off; if one has it already, that one sees `ended-by` and ends the run itself.
    if (!await runs.claim(look.name)) return;
    await runs.end(look.name, { ...verdict, finished: instantAfter(clock.now(), look.file.created) });
  };

  const launch = async (look: RunLook): Promise<void> => {
    const before = launches.get(look.name);
    if (before !== undefined && clock.now() - before.at < LAUNCH_PATIENCE_MS) return;
    const count = (before?.count ?? 0) + 1;
    if (count > LAUNCHES_MAX) {
      const complaint = await launcher.complaint(look.name);
      const message = `The process that is to run the job does not start${complaint && `: ${complaint}`}`;
      return await endUnrun(look, { state: "failed", reason: { code: "WrapperFailed", message } });
    }
    launches.set(look.name, { count, at: clock.now() });
    reasons.delete(look.name);
    try {
      await launcher.launch(look.name);
    } catch (error) {
      log("error", "launch-failed", { runId: look.file.runId, error });
      reasons.set(look.name, {
        code: "CannotLaunch",
        message: `The job's wrapper cannot be started: ${reasonOf(error)}`,
      });
    }
  };

  return {
    async release(looks) {
      const live = looks.filter((look) => look.ended === undefined).sort((a, b) => a.file.order - b.file.order);
      const touched: string[] = [];
      const taken = new Map<string, RunLook>();
      let active = 0, starting = 0;
      for (const look of live) {
        if (!look.claimed) continue;
        active++;
        taken.set(look.file.pipelineId, look);
        launches.delete(look.name);
        reasons.delete(look.name);
      }
      for (const look of live) {
        if (look.claimed) continue;
        if (look.endedBy !== undefined) {
          await endUnrun(look, { state: "stopped", reason: { code: "Stopped", message: "A stop was asked" } });
          touched.push(look.name);
          continue;
        }
        const { pipelineId, job } = look.file;
        const other = taken.get(pipelineId);
        if (job.maxActiveRuns === 1 && other !== undefined) {
          const message = `Waiting for run ${other.file.runId} of the same pipeline`;
          reasons.set(look.name, { code: "WaitingForMutex", message });
          continue;
        }
        if (active >= maxRuns) {
          reasons.set(look.name, { code: "WaitingForCapacity", message: `${maxRuns} runs are live, the most allowed` });
          continue;
        }
        active++;
        taken.set(pipelineId, look);
        if (++starting > STARTING_MAX) continue;
        await launch(look);
        touched.push(look.name);
      }
      for (const look of looks) if (look.ended !== undefined) reasons.delete(look.name);
      return touched;
    },
    waiting: (name) => reasons.get(name),
    forget(name) {
      reasons.delete(name);
      launches.delete(name);
    },
  };
}
