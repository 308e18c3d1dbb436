/** The book of pipelines: what is wanted, what is on its way, what the runner has. */
import { Fault } from "../../mod/fault.ts";
import type { Job } from "../../mod/job.ts";
import type { PipelineSummary } from "../../mod/protocol/methods.ts";
import { type Also, type Core, instant } from "./core.ts";
import { checkDocument } from "./document.ts";
import { deleted, deployed, risen } from "./pipeline_rules.ts";
import { createPipelineSnapshots, type PipelineSnapshots } from "./pipeline_snapshots.ts";
import type { Transaction } from "./ports.ts";
import { pipelineView } from "./projections.ts";
import type { PipelineRecord } from "./records.ts";

/** Every change is on disk before its promise resolves, and `also` with it. */
export interface Pipelines extends PipelineSnapshots {
  /**
   * Wants a pipeline as the job says; the revision rises. Faults: `invalid` (plain text where a reference belongs),
   * `conflict` (it is another runner's), `not_found` (no such runner).
   */
  put(
    agentId: string,
    job: Omit<Job, "revision">,
    also: Also<PipelineRecord>,
  ): Promise<{ record: PipelineRecord; created: boolean }>;
  toggle(pipelineId: string, enabled: boolean, also: Also<PipelineRecord>): Promise<PipelineRecord>;
  /**
   * A deletion is on record, and a stop on each of its open runs; answers those. It is done at once where the runner
   * never connected, or with `force`, for one that will not come back.
   */
  remove(pipelineId: string, force: boolean, also: Also<PipelineRecord>): Promise<Removal>;
  /** Faults: `not_found`, for deleted ones too. */
  get(pipelineId: string): Promise<PipelineRecord>;
  /** The runner carried out the change with this revision. */
  changed(pipelineId: string, revision: number, summary: PipelineSummary | undefined): Promise<void>;
  /** The runner refused it; `final`: nothing more is tried. Otherwise the change stays, and why it waits is shown. */
  refused(pipelineId: string, revision: number, message: string, final: boolean): Promise<void>;
  /** The runner knows newer revisions than this change: it gets a number above them, and is deployed whole. */
  raise(pipelineId: string, above: number): Promise<void>;
  event(
    agentId: string,
    event: { pipelineId: string; event: "minted" | "skipped" | "missed"; scheduledAt: string; runId?: string },
  ): Promise<void>;
}

/** A deletion as it is on record now. */
export interface Removal {
  record: PipelineRecord;
  stopped: string[];
}

const NEVER_CAME = "Deleted: the runner never connected, so there was nothing to remove there";
const FORCED = "Deleted here only: nothing was removed at the runner";

/** Makes the book over the storage. */
export function createPipelines(core: Core): Pipelines {
  const { storage, clock, feed } = core;
  return { ...createPipelineSnapshots(core, publish), put, toggle, remove, get, changed, refused, raise, event };

  async function put(agentId: string, wanted: Omit<Job, "revision">, also: Also<PipelineRecord>) {
    const references = checkDocument(wanted.document);
    const { pipelineId } = wanted;
    const result = await storage.write(async (tx) => {
      const known = await tx.pipeline(pipelineId);
      const isLive = known !== undefined && known.deployment !== "deleted";
      if (isLive && known.agentId !== agentId) {
        throw new Fault(
          "conflict",
          `Cannot put the pipeline ${pipelineId}: it is on the runner ${known.agentId}; delete it there first`,
          { path: "agentId" },
        );
      }
      if (known?.deployment === "deleting") {
        throw new Fault("conflict", `Cannot put the pipeline ${pipelineId}: it is being deleted; wait for its end`);
      }
      await checkRunner(tx, agentId, pipelineId);
      const revision = risen(known?.revision ?? 0);
      const record: PipelineRecord = {
        pipelineId,
        agentId,
        revision,
        job: { ...wanted, revision },
        references,
        ...known?.known === undefined ? {} : { known: known.known },
        change: "deploy",
        deployment: "pending",
      };
      await tx.putPipeline(record);
      await also(tx, record);
      return { record, created: !isLive };
    });
    publish(result.record);
    return result;
  }

  function toggle(pipelineId: string, enabled: boolean, also: Also<PipelineRecord>): Promise<PipelineRecord> {
    const toggled = (record: PipelineRecord): PipelineRecord => {
      if (record.deployment === "deleting") {
        throw new Fault("conflict", `Cannot toggle the pipeline ${pipelineId}: it is being deleted`);
      }
      const revision = risen(record.revision);
      const { message: _message, job, ...rest } = record;
      return {
        ...rest,
        revision,
        ...job === undefined ? {} : { job: { ...job, enabled, revision } },
        ...record.known === undefined ? {} : { known: { ...record.known, enabled } },
        // A content that is not in force yet goes along: a toggle alone would leave it behind.
        change: record.change === "deploy" || record.deployment === "failed" ? "deploy" : "toggle",
        deployment: "pending",
      };
    };
    return change(pipelineId, toggled, also);
  }

  async function remove(pipelineId: string, force: boolean, also: Also<PipelineRecord>): Promise<Removal> {
    const result = await storage.write(async (tx) => {
      const known = await live(tx, pipelineId);
      const { message: _message, ...rest } = known;
      const revision = known.deployment === "deleting" ? known.revision : risen(known.revision);
      const asked: PipelineRecord = { ...rest, revision, change: "delete", deployment: "deleting" };
      const hasCome = known.known !== undefined || (await tx.runner(known.agentId))?.hello !== undefined;
      const record = force || !hasCome ? { ...deleted(asked), message: hasCome ? FORCED : NEVER_CAME } : asked;
      await tx.putPipeline(record);
      await also(tx, record);
      const stopped: string[] = [];
      for (const run of await tx.openRuns(known.agentId)) {
        if (run.pipelineId !== pipelineId) continue;
        await tx.putRun({ ...run, stopRequestedAt: run.stopRequestedAt ?? instant(clock) });
        stopped.push(run.runId);
      }
      return { record, stopped };
    });
    publish(result.record);
    return result;
  }

  function get(pipelineId: string): Promise<PipelineRecord> {
    return live(storage, pipelineId);
  }

  async function changed(pipelineId: string, revision: number, summary: PipelineSummary | undefined): Promise<void> {
    await change(pipelineId, (record) => {
      const known = summary === undefined ? record : { ...record, known: summary };
      // A newer change came meanwhile: that one is sent next.
      if (record.revision !== revision) return known;
      return record.change === "delete" ? deleted(known) : deployed(known, revision);
    });
  }

  async function refused(pipelineId: string, revision: number, message: string, final: boolean): Promise<void> {
    await change(pipelineId, (record) => {
      if (record.revision !== revision) return record;
      if (!final) return { ...record, message };
      const { change: _change, ...rest } = record;
      return { ...rest, message, deployment: "failed" };
    });
  }

  async function raise(pipelineId: string, above: number): Promise<void> {
    await change(pipelineId, (record) => ({
      ...record,
      revision: risen(Math.max(record.revision, above)),
      ...record.change === "toggle" && record.job !== undefined ? { change: "deploy" as const } : {},
    }));
  }

  async function event(
    agentId: string,
    told: { pipelineId: string; event: "minted" | "skipped" | "missed"; scheduledAt: string; runId?: string },
  ): Promise<void> {
    await storage.write((tx) => tx.addPipelineEvent({ ...told, agentId, recordedAt: instant(clock) }));
  }

  async function change(
    pipelineId: string,
    how: (record: PipelineRecord) => PipelineRecord,
    also?: Also<PipelineRecord>,
  ): Promise<PipelineRecord> {
    const after = await storage.write(async (tx) => {
      const record = how(await live(tx, pipelineId));
      await tx.putPipeline(record);
      await also?.(tx, record);
      return record;
    });
    publish(after);
    return after;
  }

  /** A mistyped agentId would take the pipeline's id, and nobody would ever answer for it. */
  async function checkRunner(tx: Transaction, agentId: string, pipelineId: string): Promise<void> {
    if (await tx.runner(agentId) !== undefined) return;
    const tokens = await tx.tokensOf(agentId);
    if (tokens.some(({ scope, revokedAt }) => scope === "runner" && revokedAt === undefined)) return;
    throw new Fault(
      "not_found",
      `Cannot put the pipeline ${pipelineId}: there is no runner ${agentId}; issue a token for it first`,
      { path: "agentId" },
    );
  }

  async function live(reads: Pick<Transaction, "pipeline">, pipelineId: string): Promise<PipelineRecord> {
    const record = await reads.pipeline(pipelineId);
    if (record !== undefined && record.deployment !== "deleted") return record;
    throw new Fault("not_found", `Cannot find the pipeline ${pipelineId}: there is no such pipeline`);
  }

  function publish(record: PipelineRecord): void {
    const view = pipelineView(record);
    // What is deleted is told once more as being deleted: the list without it is read anew.
    if (view !== undefined) return feed.publish({ event: "pipeline", data: view });
    const last = pipelineView({ ...record, deployment: "deleting" });
    if (last !== undefined) feed.publish({ event: "pipeline", data: last });
  }
}
