/** Hands an engine's changes to any number of readers: a slow one gets the latest view of each run, never an old one. */
import type { EngineEvent } from "../../mod/ports.ts";
import type { Run } from "../../mod/run.ts";

/** Changes out to any number of readers. */
export interface Feed {
  /** Hands the event to every reader that there is. */
  publish(event: RunEvent | ScheduleEvent): void;
  /** Takes back what was not handed over yet of a run that is acknowledged now. */
  forget(runId: string): void;
  /** `list` is asked after the reader was registered, so that no change falls between list and watch. */
  subscribe(list: (signal: AbortSignal) => Promise<Run[]>, signal: AbortSignal): AsyncIterable<EngineEvent>;
}

type RunEvent = Extract<EngineEvent, { kind: "run" }>;
type ScheduleEvent = Extract<EngineEvent, { kind: "schedule" }>;

/** Schedule events are best effort: a reader that sleeps keeps the newest of them. */
const SCHEDULE_EVENTS_KEPT = 1000;

interface Reader {
  runs: Map<string, Run>;
  schedule: ScheduleEvent[];
  wake: () => void;
}

/** A feed without readers; nothing is kept for readers that come later. */
export function createFeed(): Feed {
  const readers = new Set<Reader>();
  return {
    publish(event) {
      for (const reader of readers) {
        if (event.kind === "run") reader.runs.set(event.run.runId, event.run);
        else {
          reader.schedule.push(event);
          if (reader.schedule.length > SCHEDULE_EVENTS_KEPT) reader.schedule.shift();
        }
        reader.wake();
      }
    },
    forget(runId) {
      for (const reader of readers) reader.runs.delete(runId);
    },
    async *subscribe(list, signal) {
      const reader: Reader = { runs: new Map(), schedule: [], wake: () => {} };
      readers.add(reader);
      try {
        signal.throwIfAborted();
        for (const run of await list(signal)) {
          // What was published meanwhile is newer than what the list saw.
          if (!reader.runs.has(run.runId)) reader.runs.set(run.runId, run);
        }
        yield* drain(reader, signal);
        yield { kind: "listed" };
        while (true) {
          yield* drain(reader, signal);
          await woken(reader, signal);
        }
      } finally {
        readers.delete(reader);
      }
    },
  };
}

function* drain(reader: Reader, signal: AbortSignal): Generator<EngineEvent> {
  while (true) {
    signal.throwIfAborted();
    const event = reader.schedule.shift();
    if (event !== undefined) {
      yield event;
      continue;
    }
    const [run] = reader.runs.values();
    if (run === undefined) return;
    reader.runs.delete(run.runId);
    yield { kind: "run", run };
  }
}

function woken(reader: Reader, signal: AbortSignal): Promise<void> {
  if (reader.runs.size > 0 || reader.schedule.length > 0) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) return abort();
    signal.addEventListener("abort", abort, { once: true });
    reader.wake = () => {
      signal.removeEventListener("abort", abort);
      reader.wake = () => {};
      resolve();
    };
  });
}
