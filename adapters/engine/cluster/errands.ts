/** What must be asked of the API server because of what a watch said: beside the watches, a few at a time. */
import { createKeyed } from "../../../mod/keyed.ts";
import type { Log } from "../../../mod/ports.ts";

/** Tasks under way. */
export interface Errands {
  /** Begins a task; if it fails that is logged under the event's name. */
  run(event: string, runId: string, task: () => Promise<void>): void;
  /** Resolves when none is under way. */
  settled(): Promise<void>;
}

/** At the same time: after a long absence thousands of runs may have failed. */
const LANES = 16;

/** None yet; `done` is called after each. */
export function createErrands({ log, life, done }: { log: Log; life: AbortSignal; done(): void }): Errands {
  const underWay = new Set<Promise<void>>();
  const lanes = createKeyed();
  let lane = 0;
  return {
    run(event, runId, task) {
      const work: Promise<void> = lanes.run([`lane ${lane++ % LANES}`], task, life)
        .catch((error) => void (life.aborted || log("error", event, { runId, error })))
        .finally(() => {
          underWay.delete(work);
          done();
        });
      underWay.add(work);
    },
    async settled() {
      while (underWay.size > 0) await Promise.allSettled(underWay);
    },
  };
}
