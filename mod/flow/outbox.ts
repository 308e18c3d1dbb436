/**
 * The outbox: what the control plane must still be told of each run. It is fed with what the engine shows and is empty
 * when everything is acknowledged. It keeps nothing that the engine could not show again: after a crash it is simply
 * filled anew, and the control plane drops what it knows already.
 */
import { isFault, reasonOf } from "../fault.ts";
import type { Clock, Engine, Log } from "../ports.ts";
import type { RunStatus } from "../protocol/methods.ts";
import { isTerminal, RANK, type Run, type RunState, type RunTimes } from "../run.ts";
import { aborted } from "../waiting.ts";

/** Delivers one status; resolves when the control plane has written it down. */
export type Tell = (status: RunStatus) => Promise<void>;

/** What was seen and what of it was acknowledged, per run. */
export interface Outbox {
  /** Takes in how a run is now. Views that go back, or come after the end, change nothing. */
  observe(run: Run): void;
  /** Takes in a run that never had an object (a stop overtook its start). */
  observeUnborn(run: Run): void;
  /** Tells all of a run's states again, as it is now. */
  retell(run: Run): void;
  /** Delivers through `tell` until the signal aborts; what is under way then ends by itself. */
  deliver(tell: Tell, signal: AbortSignal): Promise<void>;
  /** Every run that is live or not wholly acknowledged, with the note that was reached. */
  open(): RunStatus[];
  /** Runs that are not terminal. */
  live(): Run[];
  /** Age in seconds of the oldest status that is not yet acknowledged; 0 if there is none. */
  oldestSeconds(): number;
  /** Resolves when everything was told and acknowledged. */
  flushed(signal: AbortSignal): Promise<void>;
}

interface Entry {
  run: Run;
  note: number;
  /** Statuses not yet acknowledged, oldest first. */
  pending: { status: RunStatus; since: number }[];
  /** Whether there is an object to mark. */
  born: boolean;
  busy: boolean;
  /** Tries in a row that failed, why the last did, and when the next is due. */
  failures: number;
  failure: string;
  dueAt: number;
}

/** Statuses of different runs that may be under way at once. */
const CONCURRENCY = 64;
const RETRY_MS = 1000;
const LONGEST_RETRY_MS = 60_000;
/** Runs of which we remember that they are done, so that a late view from the engine isn't told again. */
const REMEMBERED = 10_000;

/** An empty outbox; `engine` is only told which ends were acknowledged. */
export function createOutbox(
  { engine, clock, log }: { engine: Pick<Engine, "acknowledge">; clock: Clock; log: Log },
): Outbox {
  const entries = new Map<string, Entry>();
  const done = new Set<string>();
  let wake = Promise.withResolvers<void>();
  let underWay = 0;

  return {
    observe: (run) => take(run, true),
    observeUnborn: (run) => take(run, false),
    retell(run) {
      done.delete(run.runId);
      entries.delete(run.runId);
      take(run, true);
    },
    deliver,
    open: () => [...entries.values()].map(({ run, note }) => ({ ...run, note })),
    live: () => [...entries.values()].map(({ run }) => run).filter((run) => !isTerminal(run.state)),
    oldestSeconds() {
      let oldest = Infinity;
      for (const { pending } of entries.values()) oldest = Math.min(oldest, pending[0]?.since ?? Infinity);
      return oldest === Infinity ? 0 : Math.max(0, (clock.now() - oldest) / 1000);
    },
    async flushed(signal) {
      while ([...entries.values()].some(owes)) {
        signal.throwIfAborted();
        await clock.sleep(20, signal);
      }
    },
  };

  function take(run: Run, born: boolean): void {
    if (done.has(run.runId)) return;
    const known = entries.get(run.runId);
    if (known === undefined) {
      const entry: Entry = { run, note: 0, pending: [], born, busy: false, failures: 0, failure: "", dueAt: 0 };
      entries.set(run.runId, entry);
      for (const status of statusesUpTo(run, 0)) push(entry, status);
      return;
    }
    const before = known.run;
    if (isTerminal(before.state) || RANK[run.state] < RANK[before.state]) return;
    known.run = run;
    if (RANK[run.state] > RANK[before.state]) {
      known.note = 0;
      for (const status of statusesUpTo(run, RANK[before.state])) push(known, status);
    } else if (saysOther(before, run)) {
      known.note++;
      push(known, { ...run, note: known.note });
    }
  }

  function push(entry: Entry, status: RunStatus): void {
    const last = entry.pending.at(-1);
    const lastIsUnderWay = entry.busy && entry.pending.length === 1;
    // Of several notes on one state only the newest matters, unless it is on its way already.
    if (last && !lastIsUnderWay && last.status.state === status.state && last.status.note > 0) last.status = status;
    else entry.pending.push({ status, since: clock.now() });
    wake.resolve();
  }

  async function deliver(tell: Tell, signal: AbortSignal): Promise<void> {
    const over = aborted(signal);
    // Another session may take what the last one refused.
    for (const entry of entries.values()) entry.dueAt = 0;
    while (!signal.aborted) {
      const now = clock.now();
      for (const entry of entries.values()) {
        if (underWay >= CONCURRENCY) break;
        if (!entry.busy && entry.dueAt <= now && owes(entry)) void advance(entry, tell, signal);
      }
      wake = Promise.withResolvers<void>();
      await Promise.race([wake.promise, over]);
    }
  }

  /** Tells one run's pending states in order, then marks its object; ends when there is nothing more to tell. */
  async function advance(entry: Entry, tell: Tell, signal: AbortSignal): Promise<void> {
    entry.busy = true;
    underWay++;
    try {
      for (let head = entry.pending[0]; head !== undefined; head = entry.pending[0]) {
        if (signal.aborted) return;
        await tell(head.status);
        entry.pending.shift();
        entry.failures = 0;
      }
      if (isTerminal(entry.run.state)) await settle(entry, signal);
    } catch (error) {
      if (!signal.aborted) postpone(entry, error, signal);
    } finally {
      entry.busy = false;
      underWay--;
      wake.resolve();
    }
  }

  /** Tries again later, without keeping a place that others could use. */
  function postpone(entry: Entry, error: unknown, signal: AbortSignal): void {
    const { runId, state } = entry.run;
    if (entry.failure !== reasonOf(error)) log("warn", "outbox.not_told", { runId, state, error });
    entry.failure = reasonOf(error);
    const ms = Math.min(LONGEST_RETRY_MS, RETRY_MS * 2 ** Math.min(entry.failures++, 10));
    entry.dueAt = clock.now() + ms;
    clock.sleep(ms, signal).then(() => wake.resolve(), () => {});
  }

  async function settle(entry: Entry, signal: AbortSignal): Promise<void> {
    const { run, born } = entry;
    try {
      if (born) await engine.acknowledge(run.runId, signal);
    } catch (error) {
      // An object that is gone needs no mark any more.
      if (!isFault(error, "not_found")) throw error;
    }
    // A retold run has a new entry by now, which is not done.
    if (entries.get(run.runId) !== entry) return;
    entries.delete(run.runId);
    done.add(run.runId);
    for (const oldest of done) {
      if (done.size <= REMEMBERED) break;
      done.delete(oldest);
    }
  }
}

/** Something is still to be told, or to be marked as told. */
function owes({ pending, run }: Entry): boolean {
  return pending.length > 0 || isTerminal(run.state);
}

/** The statuses that lead from a rank (0: none told yet) to how the run is now. A run that never started has no `running`. */
export function statusesUpTo(run: Run, fromRank: number): RunStatus[] {
  const steps: RunState[] = ["queued"];
  if (RANK[run.state] >= 2 && run.times.started !== undefined || run.state === "running") steps.push("running");
  if (isTerminal(run.state)) steps.push(run.state);
  return steps.filter((state) => RANK[state] > fromRank).map((state) => {
    if (state === run.state) return { ...run, note: 0 };
    const { reason: _reason, diagnostics: _diagnostics, ...rest } = run;
    return { ...rest, state, times: timesUpTo(run.times, state), note: 0 };
  });
}

function timesUpTo({ received, accepted, created, started }: RunTimes, state: RunState): RunTimes {
  return state === "queued" ? { received, accepted, created } : { received, accepted, created, started };
}

function saysOther(before: Run, now: Run): boolean {
  return JSON.stringify([before.reason, before.diagnostics]) !== JSON.stringify([now.reason, now.diagnostics]);
}
