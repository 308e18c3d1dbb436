/**
 * Kubernetes Jobs: Job = run, CronJob = schedule (https://kubernetes.io/docs/concepts/workloads/controllers/job/). There
 * is no mutual exclusion: what must wait is born suspended, and the active runner lets the oldest go.
 */
import * as z from "zod/mini";
import type { ApiObject } from "../../cluster/target.ts";
import { defined, type RunFacts, timeOf } from "../cluster/facts.ts";
import type { Dialect, EndingWrite, RunPlan } from "../cluster/dialect.ts";
import { CRON_JOBS, JOBS, PODS } from "../cluster/kinds.ts";
import { marksOf } from "../cluster/marks.ts";
import { BORN_TTL_SECONDS, HISTORY_LIMIT, STARTING_DEADLINE_SECONDS } from "../cluster/limits.ts";

const JOB_NAME = "batch.kubernetes.io/job-name";
const CONTROLLER_UID = "batch.kubernetes.io/controller-uid";
const SCHEDULED = "batch.kubernetes.io/cronjob-scheduled-timestamp";

const text = z.optional(z.string());
const Job = z.object({
  metadata: z.object({ creationTimestamp: z.string(), deletionTimestamp: text }),
  spec: z.object({ suspend: z.optional(z.boolean()) }),
  status: z.optional(z.object({
    startTime: text,
    completionTime: text,
    active: z.optional(z.number()),
    conditions: z.optional(z.array(
      z.object({ type: z.string(), status: z.string(), reason: text, message: text, lastTransitionTime: text }),
    )),
  })),
});
const CronJob = z.object({ status: z.optional(z.object({ lastScheduleTime: text })) });

/** How the Jobs engine writes and reads. */
export const kubernetesDialect: Dialect = {
  engine: "kubernetes",
  runs: JOBS,
  schedules: CRON_JOBS,
  hasMutex: false,
  mintedRunId: { valueFrom: { fieldRef: { fieldPath: `metadata.labels['${CONTROLLER_UID}']` } } },
  run: (plan) => ({
    apiVersion: JOBS.apiVersion,
    kind: JOBS.kind,
    metadata: plan.metadata,
    spec: jobSpec(plan, plan.held),
  }),
  schedule: ({ metadata, run, cron, timezone, enabled }) => ({
    apiVersion: CRON_JOBS.apiVersion,
    kind: CRON_JOBS.kind,
    metadata,
    spec: {
      schedule: cron,
      timeZone: timezone,
      suspend: !enabled,
      concurrencyPolicy: run.mutex === undefined ? "Allow" : "Forbid",
      startingDeadlineSeconds: STARTING_DEADLINE_SECONDS,
      successfulJobsHistoryLimit: HISTORY_LIMIT,
      failedJobsHistoryLimit: HISTORY_LIMIT,
      jobTemplate: { metadata: run.metadata, spec: jobSpec(run, run.mutex !== undefined) },
    },
  }),
  facts,
  slotOf(object) {
    const slot = object.metadata.annotations?.[SCHEDULED];
    return slot === undefined || Number.isNaN(Date.parse(slot)) ? undefined : new Date(slot).toISOString();
  },
  podsOf: (runName) => `${JOB_NAME}=${runName}`,
  runOf: (pod) => pod.metadata.labels?.[JOB_NAME],
  release: () => ({ spec: { suspend: false } }),
  ending,
  timeToLive: (seconds) => ({ spec: { ttlSecondsAfterFinished: seconds } }),
  scheduleTrouble: () => undefined,
  ownLines: () => () => false,
  lastSlot(object) {
    const read = CronJob.safeParse(object);
    const at = read.success ? timeOf(read.data.status?.lastScheduleTime) : undefined;
    return at && new Date(at).toISOString();
  },
};

function jobSpec(
  { pod, metadata }: Pick<RunPlan, "pod"> & { metadata: RunPlan["metadata"] | Omit<RunPlan["metadata"], "name"> },
  suspend: boolean,
) {
  return {
    ...suspend ? { suspend } : {},
    completions: 1,
    parallelism: 1,
    backoffLimit: pod.retries,
    // The next attempt is made once the last one's pod has wholly ended: attempts exclude each other too.
    podReplacementPolicy: "Failed",
    ttlSecondsAfterFinished: BORN_TTL_SECONDS,
    template: {
      metadata: { labels: { ...pod.labels, ...metadata.labels }, annotations: pod.annotations },
      spec: pod.spec,
    },
  };
}

function facts(object: ApiObject): RunFacts | undefined {
  const read = Job.safeParse(object), marks = marksOf(object);
  if (!read.success || marks === undefined) return undefined;
  const { metadata, spec, status = {} } = read.data;
  const isTrue = (type: string) => status.conditions?.find((each) => each.type === type && each.status === "True");
  const complete = isTrue("Complete"), failed = isTrue("Failed");
  const verdict = complete ?? failed ?? isTrue("FailureTarget");
  const phase = complete
    ? "succeeded"
    : failed
    ? "failed"
    : spec.suspend
    ? "held"
    : (status.active ?? 0) > 0
    ? "running"
    : "pending";
  const scheduledAt = kubernetesDialect.slotOf(object);
  return {
    name: object.metadata.name,
    uid: object.metadata.uid,
    created: metadata.creationTimestamp,
    marks: { ...marks, ...defined({ scheduledAt: marks.scheduledAt ?? scheduledAt }) },
    deleting: metadata.deletionTimestamp !== undefined,
    phase,
    shutdown: false,
    ...defined({
      message: phase === "held" ? undefined : verdict?.message,
      reason: verdict?.reason,
      startedAt: timeOf(status.startTime),
      finishedAt: timeOf(status.completionTime) ?? timeOf(failed?.lastTransitionTime),
    }),
  };
}

/**
 * A Job that is suspended, deleted or past its own deadline loses pod and log within seconds; a pod that is past its own
 * deadline keeps both. So the pods are ended, and the Job only where no pod obeys.
 */
function ending(
  { name, phase }: RunFacts,
  annotations: Record<string, string>,
  pods: { name: string; started: boolean }[],
): EndingWrite[] {
  const job = (spec: Record<string, unknown>): EndingWrite => ({
    kind: JOBS,
    name,
    patch: { metadata: { annotations }, spec },
  });
  if (phase === "held") return [job({ suspend: false, activeDeadlineSeconds: 0 })];
  if (pods.length === 0 || pods.some(({ started }) => !started)) {
    return [job({ backoffLimit: 0, activeDeadlineSeconds: 0 })];
  }
  return [
    job({ backoffLimit: 0 }),
    ...pods.map((pod) => ({ kind: PODS, name: pod.name, patch: { spec: { activeDeadlineSeconds: 1 } } })),
  ];
}
