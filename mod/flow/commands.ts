/**
 * What the control plane may ask, as one table: each command is serialised by its keys, passes the policy, and reaches
 * the engine. A repeated command finds what the first one made and answers the same.
 */
import { asFault, Fault } from "../fault.ts";
import type { Job } from "../job.ts";
import { createKeyed } from "../keyed.ts";
import type { Clock, Engine, Log } from "../ports.ts";
import type { HandlerContext, Handlers } from "../protocol/peer.ts";
import type { Params, Result, ToRunner } from "../protocol/methods.ts";
import type { Run } from "../run.ts";
import type { Outbox } from "./outbox.ts";
import type { Gate } from "./policy.ts";
import { createStarts, type StartParams } from "./starts.ts";

type Started = Result<ToRunner, "pipeline.run">;

/** What commands work with. */
export interface CommandsOptions {
  engine: Engine;
  /** Whether the engine keeps logs. */
  hasLogs: boolean;
  gate: Gate;
  outbox: Outbox;
  clock: Clock;
  log: Log;
  version: string;
  /** Resolves when the engine's first list is complete. */
  listed: Promise<void>;
  /** The furthest that a `notAfter` may lie away. */
  objectLifeSeconds: number;
  /** The control plane's clock less ours, milliseconds, as the session measured it. */
  serverOffsetMs: () => number;
  /** True once the runner is on its way out: what is in hand is finished, nothing new is begun. */
  stopping: () => boolean;
}

/** What belongs to one connection rather than to the runner. */
export interface SessionHandlers {
  openLog(runId: string, request: Params<ToRunner, "log.open">): void;
  closeLog(streamId: string): void;
  goodbye(afterSeconds: number): void;
}

/** The runner's side of every command, whatever connection it comes by. */
export interface Commands {
  handlers(session: SessionHandlers): Handlers<ToRunner>;
  /** Stands around every command: counts what is in hand, and refuses anything new while the runner stops. */
  around<T>(method: string, work: () => Promise<T>): Promise<T>;
  /** Stops a run as if it had been commanded; for the decisions in a snapshot's answer. */
  stop(runId: string, notAfter: string, signal: AbortSignal): Promise<Result<ToRunner, "run.stop">>;
  remove(pipelineId: string, revision: number, signal: AbortSignal): Promise<void>;
  /** Commands in hand. */
  inHand(): number;
}

/** A job that does nothing, for `canary.run`: engines know its type and start no program of anybody's. */
const CANARY: Job = {
  kind: "automation",
  pipelineId: "canary",
  name: "canary",
  type: "canary",
  revision: 0,
  document: "{}",
  enabled: true,
  maxActiveRuns: "unlimited",
};

/** Makes the table of commands; nothing is in hand yet. */
export function createCommands(options: CommandsOptions): Commands {
  const { engine, gate, log } = options;
  const keyed = createKeyed();
  const starts = createStarts({ ...options, keyed });
  const { stop, remove, stopAll } = starts;
  let inHand = 0;

  return { handlers, around, stop, remove, inHand: () => inHand };

  function handlers(session: SessionHandlers): Handlers<ToRunner> {
    return {
      "pipeline.deploy": ({ revision, job }, { signal }) => deploy(revision, plain(job), signal),
      "pipeline.delete": async ({ pipelineId, revision }, { signal }) => {
        await remove(pipelineId, revision, signal);
        return {};
      },
      "pipeline.toggle": ({ pipelineId, revision, enabled }, { signal }) =>
        keyed.run([pipelineId], async () => {
          await gate({ method: "pipeline.toggle", pipelineId });
          return engine.enable(pipelineId, revision, enabled, signal);
        }),
      "pipeline.run": (params, context) => {
        const job = params.job === undefined ? undefined : plain(params.job);
        return begin("pipeline.run", { ...params, job }, context);
      },
      "automation.run": ({ runId, notAfter, job }, context) =>
        startOwn("automation.run", "automation", runId, notAfter, plain(job), context),
      "application.run": ({ runId, notAfter, job }, context) =>
        startOwn("application.run", "application", runId, notAfter, plain(job), context),
      "canary.run": ({ runId, notAfter }, context) =>
        begin("canary.run", { runId, notAfter, pipelineId: CANARY.pipelineId, job: CANARY }, context),
      "run.stop": ({ runId, notAfter }, { signal }) => stop(runId, notAfter, signal),
      "pipeline.stop": ({ pipelineId }, { signal }) =>
        keyed.run([pipelineId], async () => {
          await gate({ method: "pipeline.stop", pipelineId });
          return { runIds: await stopAll(pipelineId, signal) };
        }),
      "pipeline.status": async ({ pipelineId }, { signal }) => {
        const pipeline = (await engine.pipelines(signal)).find((view) => view.pipelineId === pipelineId);
        const runs: Run[] = [];
        for await (const run of engine.everything(signal)) if (run.pipelineId === pipelineId) runs.push(run);
        runs.sort((a, b) => (a.times.created ?? "") < (b.times.created ?? "") ? 1 : -1);
        return { ...pipeline ? { pipeline } : {}, runs: runs.slice(0, 50) };
      },
      "log.open": async (request, { signal }) => {
        const run = await runToRead(request, signal);
        session.openLog(run.runId, request);
        return { streamId: request.streamId, runId: run.runId };
      },
      "log.close": ({ streamId }) => {
        session.closeLog(streamId);
        return Promise.resolve({});
      },
      "service.status": async (_params, { signal }) => {
        const health = await engine.health(signal);
        return { version: options.version, engine: { kind: engine.description.kind, ...health }, hostAddresses: [] };
      },
      "job.plan": () => Promise.reject(notYet("job.plan")),
      "server.goodbye": ({ afterSeconds }) => {
        session.goodbye(afterSeconds);
        return Promise.resolve({});
      },
    };
  }

  async function around<T>(method: string, work: () => Promise<T>): Promise<T> {
    if (options.stopping()) {
      throw new Fault("busy", `Cannot carry out ${method}: the runner is stopping`, { retryAfterSeconds: 5 });
    }
    inHand++;
    try {
      return await work();
    } catch (error) {
      log("warn", "command.refused", { method, error: asFault(error, `carry out ${method}`) });
      throw error;
    } finally {
      inHand--;
    }
  }

  function deploy(revision: number, job: Job, signal: AbortSignal): Promise<Result<ToRunner, "pipeline.deploy">> {
    if (job.revision !== revision) {
      throw new Fault("invalid", `Cannot deploy revision ${revision}: the job says revision ${job.revision}`, {
        path: "job.revision",
      });
    }
    return keyed.run([job.pipelineId], async () => {
      await gate({ method: "pipeline.deploy", pipelineId: job.pipelineId, job });
      return engine.deploy(job, signal);
    });
  }

  function begin(method: string, params: StartParams, { signal, receivedAt }: HandlerContext): Promise<Started> {
    return starts.start(method, params, signal, receivedAt);
  }

  function startOwn(
    method: "automation.run" | "application.run",
    kind: Job["kind"],
    runId: string,
    notAfter: string,
    job: Job,
    context: HandlerContext,
  ): Promise<Started> {
    if (job.kind === kind) return begin(method, { runId, notAfter, pipelineId: job.pipelineId, job }, context);
    throw new Fault("invalid", `Cannot carry out ${method}: the job's kind is ${job.kind}`, { path: "job.kind" });
  }

  async function runToRead({ runId, pipelineId }: Params<ToRunner, "log.open">, signal: AbortSignal): Promise<Run> {
    if (!options.hasLogs) throw new Fault("unavailable", "Cannot open the log: this engine keeps none");
    if (runId !== undefined) {
      const run = await engine.find(runId, signal);
      if (run) return run;
      throw new Fault("not_found", `Cannot open the log of run ${runId}: its object is no more`, { path: "runId" });
    }
    let newest: Run | undefined;
    for await (const run of engine.everything(signal)) {
      if (run.pipelineId === pipelineId && (run.times.created ?? "") >= (newest?.times.created ?? "")) newest = run;
    }
    if (newest) return newest;
    throw new Fault("not_found", `Cannot open the log of pipeline ${pipelineId}: it has no runs`, {
      path: "pipelineId",
    });
  }
}

/** The job itself; one that travels as a signed text needs keys that this version does not have. */
function plain(job: Job | string): Job {
  if (typeof job !== "string") return job;
  throw notYet("signed jobs");
}

function notYet(feature: string): Fault {
  return new Fault("unavailable", `Cannot carry out ${feature}: this version of the runner does not have it yet`);
}
