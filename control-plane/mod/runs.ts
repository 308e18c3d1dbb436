/** The book of runs: what was commanded, what the runner told, what is judged from what it does not tell. */
import { Fault, isFault } from "../../mod/fault.ts";
import type { RunStatus } from "../../mod/protocol/methods.ts";
import type { RunState } from "../../mod/run.ts";
import { type Also, type Core, instant } from "./core.ts";
import type { Transaction } from "./ports.ts";
import { runSummary } from "./projections.ts";
import type { RunRecord } from "./records.ts";
import { applyStatus, ended, isOwnSlot, isPast, statusesOf, statusRecord, type Told } from "./run_rules.ts";

/** Every change is on disk before its promise resolves. */
export interface Runs {
  /** Writes a status down; a repeat changes nothing. Faults: `denied` for another runner's run or pipeline. */
  tell(agentId: string, status: RunStatus): Promise<void>;
  /** Takes a page of a snapshot: unknown runs are adopted, another runner's are passed over. Answers those on which a stop is on record. */
  adopt(agentId: string, runs: RunStatus[]): Promise<{ runId: string; verdict: "keep" | "stop" }[]>;
  /** Open runs, up to `upTo` in order of creation, of which a complete snapshot showed nothing. */
  missing(agentId: string, upTo: number, shown: ReadonlySet<string>): Promise<string[]>;
  /** Runs that the runner looked for and did not find: they are over. */
  absent(agentId: string, runIds: string[]): Promise<void>;
  /** A new run is on record; its start waits to be sent. */
  command(run: RunRecord, also: Also<RunRecord>): Promise<void>;
  /** A stop is on record. Answers the run as it is. Faults: `not_found`. */
  requestStop(runId: string, also: Also<RunRecord>): Promise<RunRecord>;
  /** A stop is on record for each open run of a pipeline. Answers their runIds. */
  requestStops(agentId: string, pipelineId: string, also: Also<RunRecord[]>): Promise<string[]>;
  startAnswered(runId: string): Promise<void>;
  /** The run ends without ever having been told of. */
  end(runId: string, state: RunState, code: string, message: string, options?: { stop?: boolean }): Promise<void>;
  /** `begun` is false where neither the runner knows the run nor its start is still under way. */
  stopAnswered(runId: string, begun: boolean): Promise<void>;
}

/** Most runs that one answer may call missing; the rest comes with the next hello. */
const MISSING_LIMIT = 10_000;

/** Makes the book over the storage. */
export function createRuns({ storage, clock, feed, log }: Core): Runs {
  const toStop = (run: RunRecord) => ({ ...run, stopRequestedAt: run.stopRequestedAt ?? instant(clock) });
  return {
    async tell(agentId, status) {
      publish([await storage.write((tx) => tellOne(tx, agentId, status, [status]))]);
    },
    async adopt(agentId, runs) {
      const records = await storage.write(async (tx) => {
        const all = new Map<string, RunRecord>();
        for (const run of runs) {
          try {
            all.set(run.runId, await tellOne(tx, agentId, run, statusesOf(run)));
          } catch (error) {
            // One run that is not this runner's must not keep it from telling all others.
            if (!isFault(error, "denied")) throw error;
            log("warn", "run.elsewhere", { agentId, runId: run.runId, reason: error.message });
          }
        }
        return all;
      });
      publish([...records.values()]);
      return runs.map((run) => {
        const isStop = !ended(run) && records.get(run.runId)?.stopRequestedAt !== undefined;
        return { runId: run.runId, verdict: isStop ? "stop" : "keep" };
      });
    },
    async missing(agentId, upTo, shown) {
      const open = await storage.openRuns(agentId, upTo);
      // A start that was never answered is not judged: it is sent again, and its answer decides.
      return open.filter((run) => !shown.has(run.runId) && run.start?.answered !== false)
        .slice(0, MISSING_LIMIT).map((run) => run.runId);
    },
    async absent(agentId, runIds) {
      for (const runId of runIds) {
        await change(runId, async (run, tx) => {
          if (run.agentId !== agentId) return run;
          const pipeline = await tx.pipeline(run.pipelineId);
          const isDeleted = pipeline?.deployment === "deleting" || pipeline?.deployment === "deleted";
          return run.stopRequestedAt !== undefined || isDeleted
            ? await judge(tx, run, "stopped", "Stopped", "The run is over, as was asked: nothing of it is left")
            : await judge(tx, run, "failed", "gone", "The runner looked for the run and found nothing of it");
        });
      }
    },
    async command(run, also) {
      await storage.write(async (tx) => {
        await tx.putRun(run);
        await also(tx, run);
      });
      publish([run]);
    },
    requestStop: (runId, also) => change(runId, (run) => Promise.resolve(ended(run) ? run : toStop(run)), also),
    async requestStops(agentId, pipelineId, also) {
      const stopped = await storage.write(async (tx) => {
        const open = (await tx.openRuns(agentId)).filter((run) => run.pipelineId === pipelineId).map(toStop);
        for (const run of open) await tx.putRun(run);
        await also(tx, open);
        return open;
      });
      publish(stopped);
      return stopped.map((run) => run.runId);
    },
    async startAnswered(runId) {
      await change(runId, (run) => Promise.resolve(answered(run)));
    },
    async end(runId, state, code, message, { stop = false } = {}) {
      await change(runId, (run, tx) => {
        return judge(tx, answered(stop ? toStop(run) : run), state, code, message);
      });
    },
    async stopAnswered(runId, begun) {
      await change(runId, (run, tx) => {
        const told = { ...run, stopAnswered: true };
        if (begun || ended(run)) return Promise.resolve(told);
        return judge(tx, answered(told), "stopped", "Stopped", "The stop came before the start: the run never began");
      });
    },
  };

  async function change(
    runId: string,
    how: (run: RunRecord, tx: Transaction) => Promise<RunRecord>,
    also?: Also<RunRecord>,
  ): Promise<RunRecord> {
    const after = await storage.write(async (tx) => {
      const run = await tx.run(runId);
      if (run === undefined) throw new Fault("not_found", `Cannot find the run ${runId}: there is no such run`);
      const changed = await how(run, tx);
      await tx.putRun(changed);
      await also?.(tx, changed);
      return changed;
    });
    publish([after]);
    return after;
  }

  function publish(runs: RunRecord[]): void {
    for (const run of runs) feed.publish({ event: "run", data: runSummary(run) });
  }

  async function tellOne(tx: Transaction, agentId: string, of: RunStatus, steps: Told[]): Promise<RunRecord> {
    const { runId, pipelineId, revision } = of;
    const known = await ownRun(tx, agentId, of);
    const pipeline = await tx.pipeline(pipelineId);
    // A pipeline that has moved keeps its older runs where they ran.
    const isForeign = pipeline !== undefined && pipeline.agentId !== agentId && pipeline.deployment !== "deleted";
    if (isForeign && known?.pipelineId !== pipelineId) {
      throw new Fault("denied", `Cannot take the run ${runId}: its pipeline belongs to another runner`, {
        rule: "agentId",
      });
    }
    let run = known ?? adopted(agentId, of, pipeline?.job?.name);
    if (known === undefined) await tx.putRun(run);
    for (const step of steps) run = await record(tx, run, step);
    run = { ...run, pipelineId, revision };
    await tx.putRun(run);
    return run;
  }

  /** The run as this runner's. What another one only claimed gives way to the runner whose slot makes the runId. */
  async function ownRun(tx: Transaction, agentId: string, told: RunStatus): Promise<RunRecord | undefined> {
    const known = await tx.run(told.runId);
    if (known === undefined || known.agentId === agentId) return known;
    if (known.start !== undefined || !isOwnSlot(agentId, told)) {
      throw new Fault("denied", `Cannot take the run ${told.runId}: it belongs to another runner`, { rule: "agentId" });
    }
    log("warn", "run.claimed", { agentId: known.agentId, runId: told.runId });
    await tx.forgetRun(told.runId);
    return undefined;
  }

  async function record(tx: Transaction, run: RunRecord, told: Told): Promise<RunRecord> {
    // The first terminal state is final: another one is acknowledged, and forgotten.
    if (ended(run) && ended(told) || isPast(run, told)) return run;
    const isNew = await tx.addStatus(statusRecord(run.runId, told, instant(clock)));
    return isNew ? applyStatus(run, told) : run;
  }

  function judge(tx: Transaction, run: RunRecord, state: RunState, code: string, message: string): Promise<RunRecord> {
    return record(tx, run, { state, note: 0, times: {}, reason: { code, message } });
  }
}

function adopted(agentId: string, told: RunStatus, name: string | undefined): RunRecord {
  const { runId, pipelineId, kind, origin, revision, scheduledAt } = told;
  return {
    runId,
    pipelineId,
    pipelineName: name ?? pipelineId,
    agentId,
    kind,
    origin,
    revision,
    ...scheduledAt === undefined ? {} : { scheduledAt },
    note: 0,
    times: {},
  };
}

/** Without the job: what was delivered need not be kept here. */
function answered(run: RunRecord): RunRecord {
  if (run.start === undefined) return run;
  const { method, notAfter } = run.start;
  return { ...run, start: { method, notAfter, answered: true } };
}
