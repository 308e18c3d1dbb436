/**
 * Starting, stopping and removing runs: where at-least-once commands become exactly-once work. Commands on one run or
 * one pipeline go one after the other; what exists decides before any clock does.
 */
import { Fault, isFault } from "../fault.ts";
import type { Job } from "../job.ts";
import type { Keyed } from "../keyed.ts";
import type { Clock, Engine, StartRequest } from "../ports.ts";
import type { Result, ToRunner } from "../protocol/methods.ts";
import { isTerminal } from "../run.ts";
import { orAbort } from "../waiting.ts";
import type { Outbox } from "./outbox.ts";
import type { Gate } from "./policy.ts";

/** What starts and stops work with; `keyed` is shared with all other commands. */
export interface StartsOptions {
  engine: Engine;
  gate: Gate;
  outbox: Outbox;
  clock: Clock;
  keyed: Keyed;
  /** Resolves when the engine's first list is complete. */
  listed: Promise<void>;
  /** The furthest that a `notAfter` may lie away. */
  objectLifeSeconds: number;
  /** The control plane's clock less ours, milliseconds, as the session measured it. */
  serverOffsetMs: () => number;
}

/** What every command that starts a run has in common; `notAfter` is RFC 3339, by the control plane's clock. */
export interface StartParams {
  runId: string;
  pipelineId: string;
  notAfter: string;
  revision?: number | undefined;
  job?: Job | undefined;
}

/** The verbs on runs. Faults: `denied` (the policy), `invalid` (a `notAfter` that has passed), and the engine's own. */
export interface Starts {
  /** Starts a run, or answers what an earlier command of the same runId made. */
  start(
    method: string,
    params: StartParams,
    signal: AbortSignal,
    receivedAt: number,
  ): Promise<Result<ToRunner, "pipeline.run">>;
  /** Stops a run; one that is not known is remembered until its `notAfter`, for its start may still be on its way. */
  stop(runId: string, notAfter: string, signal: AbortSignal): Promise<Result<ToRunner, "run.stop">>;
  /** Stops every live run of a pipeline. */
  stopAll(pipelineId: string, signal: AbortSignal): Promise<string[]>;
  /** Takes a pipeline away once its runs have ended and their ends are acknowledged. */
  remove(pipelineId: string, revision: number, signal: AbortSignal): Promise<void>;
}

/** Tolerance for the two clocks when a `notAfter` is held against the object's life. */
const CLOCK_SLACK_MS = 60_000;
/** What objects must live longer than announced: the tolerance for both clocks, on both sides. */
export const OBJECT_LIFE_SLACK_SECONDS = 2 * CLOCK_SLACK_MS / 1000;
/** Stops whose start never came; beyond it more are `busy`. */
const MOST_TOMBSTONES = 10_000;
/** How long `pipeline.delete` waits for the end of the pipeline's runs to be acknowledged. */
const REMOVE_WAIT_MS = 60_000;

/** Makes the verbs; no stop is remembered yet. */
export function createStarts(options: StartsOptions): Starts {
  const { engine, gate, outbox, clock, keyed } = options;
  /** Stops that came before their start: runId → until when they count, in the control plane's clock. */
  const tombstones = new Map<string, number>();

  return { start, stop, stopAll, remove };

  function remove(pipelineId: string, revision: number, signal: AbortSignal): Promise<void> {
    return keyed.run([pipelineId], async () => {
      await gate({ method: "pipeline.delete", pipelineId });
      // Its runs end first and their ends are told, so that nothing of theirs is lost with their objects.
      await stopAll(pipelineId, signal);
      const until = clock.now() + REMOVE_WAIT_MS;
      while (clock.now() < until && outbox.open().some((run) => run.pipelineId === pipelineId)) {
        await clock.sleep(50, signal);
      }
      await engine.remove(pipelineId, revision, signal);
    });
  }

  async function stopAll(pipelineId: string, signal: AbortSignal): Promise<string[]> {
    await orAbort(options.listed, signal);
    const runIds = outbox.live().filter((run) => run.pipelineId === pipelineId).map((run) => run.runId);
    // Not under the runs' own keys: a start that waits for the pipeline's key holds its run's key meanwhile. The
    // pipeline's key is held here, which keeps starts away, and a stop beside ours does the same.
    await Promise.all(
      runIds.map((runId) =>
        engine.stop(runId, signal).then((run) => outbox.observe(run), (error) => {
          if (!isFault(error, "not_found")) throw error;
        })
      ),
    );
    return runIds;
  }

  function stop(runId: string, notAfter: string, signal: AbortSignal): Promise<Result<ToRunner, "run.stop">> {
    return keyed.run([runId], async () => {
      await gate({ method: "run.stop", runId });
      try {
        const run = await engine.stop(runId, signal);
        outbox.observe(run);
        return { runId, state: run.state, stopped: run.state === "stopped" || !isTerminal(run.state) };
      } catch (error) {
        if (!isFault(error, "not_found")) throw error;
        // The start may still be on its way: remember the stop for as long as that start is valid.
        bury(runId, Date.parse(notAfter));
        return { runId, stopped: true };
      }
    });
  }

  function bury(runId: string, notAfter: number): void {
    const now = serverNow();
    if (tombstones.size >= MOST_TOMBSTONES) {
      for (const [id, end] of tombstones) if (end < now) tombstones.delete(id);
    }
    if (tombstones.size >= MOST_TOMBSTONES) {
      throw new Fault(
        "busy",
        `Cannot remember the stop of run ${runId}: ${MOST_TOMBSTONES} stops without a start are`,
        {
          retryAfterSeconds: 60,
        },
      );
    }
    // The slack covers a clock that is measured anew between the stop and its start.
    tombstones.set(runId, Math.min(notAfter, now + options.objectLifeSeconds * 1000) + CLOCK_SLACK_MS);
  }

  function serverNow(): number {
    return clock.now() + options.serverOffsetMs();
  }

  function start(
    method: string,
    { runId, pipelineId, notAfter, revision, job }: StartParams,
    signal: AbortSignal,
    receivedAt: number,
  ): Promise<Result<ToRunner, "pipeline.run">> {
    if (job && job.pipelineId !== pipelineId) {
      throw new Fault("invalid", `Cannot carry out ${method}: the job is of pipeline ${job.pipelineId}`, {
        path: "job.pipelineId",
      });
    }
    return keyed.run([pipelineId, runId], async () => {
      await gate({ method, pipelineId, runId, ...job ? { job } : {} });
      const received = new Date(receivedAt).toISOString();
      const until = tombstones.get(runId);
      if (until !== undefined && until >= serverNow()) {
        const finished = new Date(clock.now()).toISOString();
        outbox.observeUnborn({
          runId,
          pipelineId,
          revision: job?.revision ?? revision ?? 0,
          kind: job?.kind ?? "pipeline",
          origin: "command",
          state: "stopped",
          times: { received, finished },
          reason: { code: "Stopped", message: "The stop came before the start: the run never began" },
        });
        return { runId, state: "stopped", stopped: true };
      }
      // What exists decides first; only where there is nothing may the clock refuse, so that nothing runs twice.
      if (await engine.find(runId, signal) === undefined) checkDeadline(method, notAfter);
      const request: StartRequest = {
        runId,
        pipelineId,
        origin: "command",
        received,
        ...job ? { job } : {},
        ...revision === undefined ? {} : { revision },
      };
      const run = await engine.start(request, signal);
      outbox.observe(run);
      return { runId, state: run.state };
    });
  }

  function checkDeadline(method: string, notAfter: string): void {
    const now = serverNow();
    const until = Date.parse(notAfter);
    if (until < now) {
      throw new Fault("invalid", `Cannot carry out ${method}: its notAfter ${notAfter} has passed`, {
        path: "notAfter",
      });
    }
    if (until > now + options.objectLifeSeconds * 1000 + CLOCK_SLACK_MS) {
      const message =
        `its notAfter ${notAfter} lies further away than the ${options.objectLifeSeconds} s that objects live`;
      throw new Fault("invalid", `Cannot carry out ${method}: ${message}`, { path: "notAfter" });
    }
  }
}
