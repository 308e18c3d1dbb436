/** What an operator may ask for, by REST or by the page. Each is on record together with who asked, or not at all. */
import { Fault } from "../../mod/fault.ts";
import type { Job } from "../../mod/job.ts";
import { laneOf } from "./commands.ts";
import { type Also, type Core, instant } from "./core.ts";
import { checkDocument } from "./document.ts";
import type { Lane } from "./lanes.ts";
import type { Pipelines } from "./pipelines.ts";
import { pipelineView, runSummary } from "./projections.ts";
import type { Transaction } from "./ports.ts";
import type { PipelineRecord, RunRecord, StartCommand } from "./records.ts";
import type { Runners, Session } from "./runners.ts";
import type { Runs } from "./runs.ts";
import type { PipelineView, RunSummary } from "./views.ts";
import type { ViewsReader } from "./views_reader.ts";

/** Every verb takes the actor first: who is written into the audit. */
export interface Operations {
  putPipeline(
    actor: string,
    agentId: string,
    job: Omit<Job, "revision">,
  ): Promise<{ view: PipelineView; created: boolean }>;
  togglePipeline(actor: string, pipelineId: string, enabled: boolean): Promise<PipelineView>;
  /** `force`: for a runner that will not come back. Faults: `conflict` with it while the runner is Active. */
  deletePipeline(actor: string, pipelineId: string, options: { force: boolean }): Promise<PipelineView>;
  /** Faults: `not_found`; `unavailable` while the runner is Inactive, and why; `conflict` (refused, being deleted). */
  startRun(actor: string, pipelineId: string): Promise<RunSummary>;
  stopRun(actor: string, runId: string): Promise<RunSummary>;
  /** Stops all of a pipeline's runs, also those that only the runner knows yet. Answers the runIds. */
  stopPipeline(actor: string, pipelineId: string): Promise<string[]>;
  startCanary(actor: string, agentId: string): Promise<RunSummary>;
  /** An automation or application with its own job. */
  startOwn(actor: string, agentId: string, job: Job): Promise<RunSummary>;
}

/** How long a start that is asked for now may still begin: long enough for a link that breaks and comes back. */
const START_WINDOW_SECONDS = 600;
const STOP_ALL_MS = 10_000;

/** Makes the operations. `wake` tells the runner's lanes; `settled` waits until it has told its snapshots. */
export function createOperations(
  { core, runners, runs, pipelines, views, wake, settled }: {
    core: Core;
    runners: Runners;
    runs: Runs;
    pipelines: Pipelines;
    views: ViewsReader;
    wake: (agentId: string, lane: Lane) => void;
    settled: (agentId: string) => Promise<void>;
  },
): Operations {
  const { clock, random, log } = core;
  return {
    async putPipeline(actor, agentId, job) {
      const also: Also<PipelineRecord> = (tx, { pipelineId, revision }) =>
        audit(tx, actor, "pipeline.put", pipelineId, `revision ${revision} on ${agentId}`);
      const { record, created } = await pipelines.put(agentId, job, also);
      return { view: awake(record), created };
    },
    async togglePipeline(actor, pipelineId, enabled) {
      const detail = enabled ? "on" : "off";
      return awake(
        await pipelines.toggle(pipelineId, enabled, (tx) => audit(tx, actor, "pipeline.toggle", pipelineId, detail)),
      );
    },
    async deletePipeline(actor, pipelineId, { force }) {
      const { agentId } = await pipelines.get(pipelineId);
      if (force && runners.active(agentId) !== undefined) {
        const why = `the runner ${agentId} is Active, and removes it itself`;
        throw new Fault("conflict", `Cannot delete ${pipelineId} by force: ${why}`, { path: "force" });
      }
      const also: Also<PipelineRecord> = (tx, { message }) => audit(tx, actor, "pipeline.delete", pipelineId, message);
      const { record, stopped } = await pipelines.remove(pipelineId, force, also);
      for (const id of stopped) wake(record.agentId, { kind: "stop", id });
      return awake(record);
    },
    async startRun(actor, pipelineId) {
      await settled((await pipelines.get(pipelineId)).agentId);
      const { agentId, revision: newest, change, deployment, message, job, known } = await pipelines.get(pipelineId);
      if (deployment === "deleting") throw new Fault("conflict", `Cannot run ${pipelineId}: it is being deleted`);
      if (deployment === "failed") {
        throw new Fault("conflict", `Cannot run ${pipelineId}: the runner refused it: ${message}`);
      }
      // A toggle raises the number, not what is deployed. The runner's status tells which one it really was.
      const revision = change === "deploy" ? newest : known?.deployedRevision ?? newest;
      const pipelineName = job?.name ?? known?.name ?? pipelineId;
      const session = await present(agentId, `run ${pipelineId}`);
      const command = { method: "pipeline.run", pipelineId, pipelineName, kind: "pipeline", revision } as const;
      return await begin(actor, session, command);
    },
    async stopRun(actor, runId) {
      const run = await runs.requestStop(runId, (tx) => audit(tx, actor, "run.stop", runId));
      wake(run.agentId, { kind: "stop", id: runId });
      return runSummary(run);
    },
    async stopPipeline(actor, pipelineId) {
      const { agentId } = await pipelines.get(pipelineId);
      const also: Also<RunRecord[]> = (tx) => audit(tx, actor, "pipeline.stop", pipelineId);
      const known = await runs.requestStops(agentId, pipelineId, also);
      for (const id of known) wake(agentId, { kind: "stop", id });
      return [...new Set([...known, ...await stopUnknown(agentId, pipelineId)])];
    },
    async startCanary(actor, agentId) {
      const session = await present(agentId, "run the canary");
      const command = {
        method: "canary.run",
        pipelineId: "canary",
        pipelineName: "canary",
        kind: "automation",
      } as const;
      return await begin(actor, session, { ...command, revision: 0 });
    },
    async startOwn(actor, agentId, job) {
      if (job.kind === "pipeline") {
        throw new Fault("invalid", "Cannot run the job: a pipeline is put, then run", { path: "job.kind" });
      }
      checkDocument(job.document);
      const session = await present(agentId, `run ${job.name}`);
      const { pipelineId, name, kind, revision } = job;
      return await begin(actor, session, {
        method: `${kind}.run`,
        pipelineId,
        pipelineName: name,
        kind,
        revision,
        job,
      });
    },
  };

  function awake(record: PipelineRecord): PipelineView {
    wake(record.agentId, { kind: "pipeline", id: record.pipelineId });
    // What is done already is shown once more as it ended.
    const view = pipelineView(record.deployment === "deleted" ? { ...record, deployment: "deleting" } : record);
    if (view !== undefined) return view;
    throw new Fault("not_found", `Cannot find the pipeline ${record.pipelineId}: it is deleted`);
  }

  async function begin(
    actor: string,
    { agentId, hello }: Session,
    { method, job, ...of }: Pick<RunRecord, "pipelineId" | "pipelineName" | "kind" | "revision"> & {
      method: StartCommand["method"];
      job?: Job;
    },
  ): Promise<RunSummary> {
    const life = Math.min(hello.objectLifeSeconds, START_WINDOW_SECONDS);
    const notAfter = new Date(clock.now() + life * 1000).toISOString();
    const run: RunRecord = {
      ...of,
      runId: random.uuid(),
      agentId,
      origin: "command",
      requestedAt: instant(clock),
      start: { method, notAfter, answered: false, ...job === undefined ? {} : { job } },
      note: 0,
      times: {},
    };
    await runs.command(run, (tx) => audit(tx, actor, method, run.runId, of.pipelineId));
    wake(agentId, laneOf(run));
    return runSummary(run);
  }

  async function present(agentId: string, action: string): Promise<Session> {
    const session = runners.active(agentId);
    if (session !== undefined) return session;
    const view = await views.runner(agentId);
    if (view === undefined) throw new Fault("not_found", `Cannot ${action}: there is no runner ${agentId}`);
    throw new Fault("unavailable", `Cannot ${action}: the runner ${agentId} is Inactive. ${view.reason}`);
  }

  /** Scheduled runs that the runner minted a moment ago are stopped too. What is on record does not hang on this. */
  async function stopUnknown(agentId: string, pipelineId: string): Promise<string[]> {
    const session = runners.active(agentId);
    if (session === undefined) return [];
    try {
      const options = { signal: core.signal, timeoutMs: STOP_ALL_MS };
      return (await session.peer.request("pipeline.stop", { pipelineId }, options)).runIds;
    } catch (error) {
      log("warn", "pipeline.not_stopped", { agentId, pipelineId, error });
      return [];
    }
  }

  function audit(tx: Transaction, actor: string, action: string, subject: string, detail?: string): Promise<void> {
    return tx.addAudit({ at: instant(clock), actor, action, subject, ...detail === undefined ? {} : { detail } });
  }
}
