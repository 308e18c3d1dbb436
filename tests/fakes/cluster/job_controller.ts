/** The Job controller (https://kubernetes.io/docs/concepts/workloads/controllers/job/): one completion, one pod at a time. */
import { JOBS, PODS } from "../../../adapters/engine/cluster/kinds.ts";
import type { Condition, Job, Pod } from "./objects.ts";
import { isOver } from "./pod_life.ts";
import type { Troubles } from "./troubles.ts";
import { controlledBy, controllerOf, type Workshop } from "./workshop.ts";

/** How the attempts of one Job stand. */
interface Attempts {
  /** Pods that were made. */
  made: Set<string>;
  failed: Set<string>;
  /** By `performance.now()`; of the present start, not of the Job. */
  startedAt: number;
  lastFailureAt: number;
  isRefused: boolean;
}

const DELAY_MS = 30;
/** Ten seconds and more in earnest. */
const RETRY_MS = 150;

export function startJobController(shop: Workshop, troubles: Troubles): void {
  const jobs = shop.of<Job>(JOBS), pods = shop.of<Pod>(PODS);
  const byJob = new Map<string, Attempts>();

  const { enqueue } = shop.controller({
    delayMs: DELAY_MS,
    names(change) {
      const job = jobs.in(change);
      if (job) return [job.metadata.name];
      const owner = pods.in(change)?.metadata.ownerReferences?.find(({ kind }) => kind === "Job");
      return owner ? [owner.name] : [];
    },
    reconcile,
  });

  function reconcile(name: string): void {
    const job = jobs.get(name);
    if (job === undefined || job.metadata.deletionTimestamp !== undefined) return;
    if (isFinished(job)) return expire(job);
    const { uid } = job.metadata;
    const mine = pods.all().filter((pod) => controllerOf(pod) === uid);
    const attempts = byJob.get(uid) ?? fresh();
    byJob.set(uid, attempts);
    for (const pod of mine) if (pod.status.phase === "Failed") attempts.failed.add(pod.metadata.uid);
    // What is no more, without having ended, has failed too.
    for (const made of attempts.made) {
      if (!mine.some((pod) => pod.metadata.uid === made)) attempts.failed.add(made);
    }
    const live = mine.filter((pod) => !isOver(pod));
    const status = { active: live.length, failed: attempts.failed.size, terminating: 0 };
    jobs.update(name, (draft) => Object.assign(draft.status, status));

    if (mine.some((pod) => pod.status.phase === "Succeeded")) return complete(name);
    const verdict = verdictOf(job, attempts);
    if (verdict) return fail(name, verdict, live);
    if (job.spec.suspend) return suspend(name, attempts, live);
    if (job.status.startTime === undefined) resume(name, attempts);
    shop.after(deadlineLeft(job, attempts), () => enqueue(name));
    if (deadlineLeft(job, attempts) <= 0) return fail(name, PAST_DEADLINE, live);
    const isBlocking = ({ metadata: { deletionTimestamp } }: Pod) =>
      deletionTimestamp === undefined || job.spec.podReplacementPolicy === "Failed";
    if (!live.some(isBlocking)) attempt(job, attempts);
  }

  function attempt(job: Job, attempts: Attempts): void {
    const { name, namespace = "" } = job.metadata;
    const pause = attempts.lastFailureAt + RETRY_MS - performance.now();
    if (attempts.failed.size > 0 && Number.isNaN(attempts.lastFailureAt)) attempts.lastFailureAt = performance.now();
    if (attempts.failed.size > 0 && !(pause <= 0)) return void shop.after(RETRY_MS, () => enqueue(name));
    attempts.lastFailureAt = NaN;
    const { template } = job.spec;
    const pod = {
      metadata: {
        ...template.metadata,
        name: `${name}-${suffix()}`,
        generateName: `${name}-`,
        ownerReferences: [controlledBy(JOBS, job)],
      },
      spec: { terminationGracePeriodSeconds: 30, ...template.spec },
    };
    const refused = troubles.refusal(`${name}-`, { ...job, spec: template.spec }, namespace);
    if (refused !== undefined) {
      if (!attempts.isRefused) {
        shop.event(job, { reason: "FailedCreate", message: `Error creating: ${refused}`, component: "job-controller" });
      }
      attempts.isRefused = true;
      return;
    }
    pods.create(pod);
    const made = pods.get(pod.metadata.name);
    if (made) attempts.made.add(made.metadata.uid);
  }

  /** The pods are ended first; the condition comes when none is left. */
  function fail(name: string, verdict: Verdict, live: Pod[]): void {
    for (const { metadata } of live) if (metadata.deletionTimestamp === undefined) pods.remove(metadata.name);
    const isEmpty = !pods.all().some((pod) =>
      live.some(({ metadata }) => metadata.uid === pod.metadata.uid) && !isOver(pod)
    );
    jobs.update(name, (draft) => {
      set(draft, { type: "FailureTarget", status: "True", ...verdict });
      if (isEmpty) set(draft, { type: "Failed", status: "True", ...verdict });
      draft.status.active = 0;
    });
  }

  function complete(name: string): void {
    const verdict = { reason: "CompletionsReached", message: "Reached expected number of succeeded pods" };
    jobs.update(name, (draft) => {
      set(draft, { type: "SuccessCriteriaMet", status: "True", ...verdict });
      set(draft, { type: "Complete", status: "True", ...verdict });
      Object.assign(draft.status, { active: 0, succeeded: 1, completionTime: shop.now() });
    });
  }

  function suspend(name: string, attempts: Attempts, live: Pod[]): void {
    for (const { metadata } of live) {
      attempts.made.delete(metadata.uid);
      pods.remove(metadata.name);
    }
    jobs.update(name, (draft) => {
      delete draft.status.startTime;
      set(draft, { type: "Suspended", status: "True", reason: "JobSuspended", message: "Job suspended" });
    });
  }

  function resume(name: string, attempts: Attempts): void {
    attempts.startedAt = performance.now();
    jobs.update(name, (draft) => {
      draft.status.startTime = shop.now();
      if (draft.status.conditions?.some(({ type }) => type === "Suspended")) {
        set(draft, { type: "Suspended", status: "False", reason: "JobResumed", message: "Job resumed" });
      }
    });
  }

  function set({ status }: Job, condition: Omit<Condition, "lastTransitionTime">): void {
    const known = status.conditions?.find(({ type }) => type === condition.type);
    if (known?.status === condition.status) return;
    const others = (status.conditions ?? []).filter((one) => one !== known);
    status.conditions = [...others, { ...condition, lastTransitionTime: shop.now() }];
  }

  function expire(job: Job): void {
    const { ttlSecondsAfterFinished: ttl } = job.spec;
    byJob.delete(job.metadata.uid);
    if (ttl === undefined) return;
    const finished = job.status.conditions?.find(({ type, status }) => ENDS.includes(type) && status === "True");
    const left = Date.parse(finished?.lastTransitionTime ?? "") + ttl * 1000 - shop.clock.now();
    if (left <= 0) jobs.remove(job.metadata.name, { propagationPolicy: "Foreground" });
    else shop.after(left, () => enqueue(job.metadata.name));
  }
}

type Verdict = Pick<Condition, "reason" | "message">;
const ENDS = ["Complete", "Failed"];
const PAST_DEADLINE: Verdict = {
  reason: "DeadlineExceeded",
  message: "Job was active longer than specified deadline",
};

/** True for a Job that has its last condition. */
export function isFinished({ status }: Job): boolean {
  return status.conditions?.some(({ type, status }) => ENDS.includes(type) && status === "True") ?? false;
}

function verdictOf({ status, spec }: Job, { failed }: Attempts): Verdict | undefined {
  const decided = status.conditions?.find(({ type }) => type === "FailureTarget");
  if (decided) return { reason: decided.reason ?? "", message: decided.message ?? "" };
  if (failed.size <= spec.backoffLimit) return undefined;
  return { reason: "BackoffLimitExceeded", message: "Job has reached the specified backoff limit" };
}

function deadlineLeft({ spec: { activeDeadlineSeconds } }: Job, { startedAt }: Attempts): number {
  return activeDeadlineSeconds === undefined ? Infinity : startedAt + activeDeadlineSeconds * 1000 - performance.now();
}

function fresh(): Attempts {
  return { made: new Set(), failed: new Set(), startedAt: NaN, lastFailureAt: NaN, isRefused: false };
}

/** Five characters as Kubernetes chooses them: none that could make a word. */
function suffix(): string {
  const alphabet = "bcdfghjklmnpqrstvwxz2456789";
  const bytes = crypto.getRandomValues(new Uint8Array(5));
  return Array.from(bytes, (byte) => alphabet[byte % alphabet.length]).join("");
}
