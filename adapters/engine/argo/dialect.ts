/**
 * Argo Workflows 3.6 and 3.7: Workflow = run, CronWorkflow = schedule, always through the Kubernetes API
 * (https://argo-workflows.readthedocs.io/en/release-3.7/fields/).
 */
import * as z from "zod/mini";
import type { ApiObject } from "../../cluster/target.ts";
import type { Dialect } from "../cluster/dialect.ts";
import { defined, type RunFacts, timeOf } from "../cluster/facts.ts";
import { CRON_WORKFLOWS, WORKFLOWS } from "../cluster/kinds.ts";
import { HISTORY_LIMIT, STARTING_DEADLINE_SECONDS } from "../cluster/limits.ts";
import { marksOf } from "../cluster/marks.ts";
import { createExecutorLines } from "./executor_lines.ts";
import { workflowSpec } from "./workflow.ts";

const WORKFLOW = "workflows.argoproj.io/workflow";
const SCHEDULED = "workflows.argoproj.io/scheduled-time";

const text = z.nullish(z.string());
const Workflow = z.object({
  metadata: z.object({ creationTimestamp: z.string(), deletionTimestamp: text }),
  spec: z.object({ shutdown: text }),
  status: z.optional(z.object({
    phase: text,
    message: text,
    startedAt: text,
    finishedAt: text,
    synchronization: z.optional(z.object({
      mutex: z.optional(z.object({ waiting: z.nullish(z.array(z.unknown())) })),
    })),
  })),
});
const CronWorkflow = z.object({
  status: z.nullish(z.object({
    lastScheduledTime: text,
    conditions: z.nullish(z.array(z.object({ type: z.string(), status: z.string(), message: text }))),
  })),
});

const PHASES: Readonly<Record<string, RunFacts["phase"]>> = {
  Running: "running",
  Succeeded: "succeeded",
  Failed: "failed",
  Error: "failed",
};

/** How the Argo engine writes and reads. */
export const argoDialect: Dialect = {
  engine: "argo",
  runs: WORKFLOWS,
  schedules: CRON_WORKFLOWS,
  hasMutex: true,
  mintedRunId: { value: "{{workflow.uid}}" },
  run: (plan) => ({
    apiVersion: WORKFLOWS.apiVersion,
    kind: WORKFLOWS.kind,
    metadata: plan.metadata,
    spec: workflowSpec(plan),
  }),
  schedule: ({ metadata, run, cron, timezone, enabled }) => ({
    apiVersion: CRON_WORKFLOWS.apiVersion,
    kind: CRON_WORKFLOWS.kind,
    metadata,
    spec: {
      schedules: [cron],
      timezone,
      suspend: !enabled,
      concurrencyPolicy: run.mutex === undefined ? "Allow" : "Forbid",
      startingDeadlineSeconds: STARTING_DEADLINE_SECONDS,
      successfulJobsHistoryLimit: HISTORY_LIMIT,
      failedJobsHistoryLimit: HISTORY_LIMIT,
      workflowMetadata: run.metadata,
      workflowSpec: workflowSpec(run),
    },
  }),
  facts,
  slotOf(object) {
    const slot = object.metadata.annotations?.[SCHEDULED];
    return slot === undefined || Number.isNaN(Date.parse(slot)) ? undefined : new Date(slot).toISOString();
  },
  podsOf: (runName) => `${WORKFLOW}=${runName}`,
  runOf: (pod) => pod.metadata.labels?.[WORKFLOW],
  release: () => ({}),
  // `Stop` does not release a Workflow that waits for its mutex, `Terminate` ends every one.
  ending: ({ name }, annotations) => [
    { kind: WORKFLOWS, name, patch: { metadata: { annotations }, spec: { shutdown: "Terminate" } } },
  ],
  timeToLive: (seconds) => ({ spec: { ttlStrategy: { secondsAfterCompletion: seconds } } }),
  ownLines: createExecutorLines,
  scheduleTrouble(object) {
    const read = CronWorkflow.safeParse(object);
    const wrong = read.success
      ? read.data.status?.conditions?.find(({ type, status }) => type === "SpecError" && status === "True")
      : undefined;
    return wrong && (wrong.message ?? "Argo calls its spec wrong and does not say why");
  },
  lastSlot(object) {
    const read = CronWorkflow.safeParse(object);
    const at = read.success ? timeOf(read.data.status?.lastScheduledTime) : undefined;
    return at && new Date(at).toISOString();
  },
};

function facts(object: ApiObject): RunFacts | undefined {
  const read = Workflow.safeParse(object), marks = marksOf(object);
  if (!read.success || marks === undefined) return undefined;
  const { metadata, spec, status = {} } = read.data;
  const waits = (status.synchronization?.mutex?.waiting ?? []).length > 0;
  const phase = PHASES[status.phase ?? ""] ?? (waits ? "held" : "pending");
  return {
    name: object.metadata.name,
    uid: object.metadata.uid,
    created: metadata.creationTimestamp,
    marks: { ...marks, ...defined({ scheduledAt: marks.scheduledAt ?? argoDialect.slotOf(object) }) },
    deleting: Boolean(metadata.deletionTimestamp),
    phase: phase === "running" && waits ? "held" : phase,
    shutdown: Boolean(spec.shutdown),
    ...defined({
      message: status.message || undefined,
      startedAt: timeOf(status.startedAt),
      finishedAt: timeOf(status.finishedAt),
    }),
  };
}
