/** What is written for a run and for a schedule, as plans that a dialect puts into its engine's words. Pure. */
import { contentDigest } from "../../../mod/digest.ts";
import { pipelineName, runName } from "../../../mod/names.ts";
import type { StartRequest } from "../../../mod/ports.ts";
import { parseSchedule } from "../../../mod/schedule.ts";
import type { Definition, JobPod, JobPods } from "../pod/port.ts";
import type { Dialect, RunPlan, SchedulePlan } from "./dialect.ts";
import { documentSecretOf } from "./deployments.ts";
import type { Manifest } from "./manifest.ts";
import { ANNOTATIONS, labelOf, LABELS, pipelineLabels } from "./marks.ts";

/** Who writes, and how pods come about. */
export interface PlanOptions {
  agentId: string;
  dialect: Dialect;
  pods: JobPods;
}

/** A run that a command asks for. */
export interface CommandedRun {
  request: StartRequest;
  definition: Definition;
  revision: number;
  documentSecret: string;
  /** The document is the run's own, not its pipeline's. */
  ownDocument: boolean;
  digest: string;
  /** RFC 3339. */
  accepted: string;
  held: boolean;
}

/** The run's object. */
export function runManifest(run: CommandedRun, { agentId, dialect, pods }: PlanOptions): Manifest {
  const { request, definition, revision } = run;
  const pod = pods.pod(definition, { documentSecret: run.documentSecret, runId: { value: request.runId } });
  const { labels, annotations } = marksFor(agentId, definition, revision, pod);
  const plan: RunPlan = {
    metadata: {
      name: runName(agentId, request.runId),
      labels: { ...labels, [LABELS.run]: request.runId, [LABELS.origin]: request.origin },
      annotations: {
        ...annotations,
        [ANNOTATIONS.runId]: request.runId,
        [ANNOTATIONS.received]: request.received,
        [ANNOTATIONS.accepted]: run.accepted,
        [ANNOTATIONS.contentDigest]: run.digest,
        ...run.ownDocument ? { [ANNOTATIONS.documentSecret]: run.documentSecret } : {},
        ...request.scheduledAt === undefined ? {} : { [ANNOTATIONS.scheduledAt]: request.scheduledAt },
      },
    },
    pod,
    held: run.held,
    ...mutexOf(agentId, definition),
  };
  return dialect.run(plan);
}

/** The schedule's object; undefined for a pipeline that has none. It runs the revision that `deployment` names. */
export function scheduleManifest(
  deployment: { name: string; uid: string; revision: number; enabled: boolean; definition: Definition },
  { agentId, dialect, pods }: PlanOptions,
): Manifest | undefined {
  const { definition, revision, enabled } = deployment;
  const { job } = definition;
  if (job.schedule === undefined) return undefined;
  const { cron, timezone } = parseSchedule(job.schedule, job.timezone);
  const pod = pods.pod(definition, { documentSecret: documentSecretOf(deployment), runId: dialect.mintedRunId });
  const { labels, annotations } = marksFor(agentId, definition, revision, pod);
  const plan: SchedulePlan = {
    metadata: { name: pipelineName(agentId, job.pipelineId), labels, annotations: { ...annotations } },
    run: {
      metadata: { labels: { ...labels, [LABELS.origin]: "schedule" }, annotations },
      pod,
      ...mutexOf(agentId, definition),
    },
    cron,
    timezone,
    enabled,
  };
  const manifest = dialect.schedule(plan);
  // By this a later look tells whether the object is still what we would write.
  const digest = contentDigest(agentId, job.pipelineId, manifest).slice(0, 32);
  manifest.metadata.annotations[ANNOTATIONS.renderedDigest] = digest;
  return manifest;
}

/** What a request asks for, to tell a repeat from another content under the same runId. */
export function requestDigest(agentId: string, { runId, pipelineId, revision, job }: StartRequest): string {
  return contentDigest(agentId, runId, { pipelineId, revision: revision ?? null, job: job ?? null });
}

function marksFor(agentId: string, { job }: Definition, revision: number, { spec, retries }: JobPod) {
  const limit = spec.activeDeadlineSeconds;
  return {
    labels: {
      ...pipelineLabels(agentId, job.pipelineId),
      [LABELS.revision]: String(revision),
      [LABELS.type]: labelOf(job.type),
    },
    annotations: {
      [ANNOTATIONS.agentId]: agentId,
      [ANNOTATIONS.pipelineId]: job.pipelineId,
      [ANNOTATIONS.pipelineName]: job.name,
      [ANNOTATIONS.jobKind]: job.kind,
      [ANNOTATIONS.maxActiveRuns]: String(job.maxActiveRuns),
      ...limit === undefined ? {} : { [ANNOTATIONS.deadlineSeconds]: String(limit) },
      ...retries === 0 ? {} : { [ANNOTATIONS.retries]: String(retries) },
    },
  };
}

function mutexOf(agentId: string, { job }: Definition): { mutex?: string } {
  return job.maxActiveRuns === 1 ? { mutex: pipelineName(agentId, job.pipelineId) } : {};
}
