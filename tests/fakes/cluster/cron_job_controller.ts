/** The CronJob controller (https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/). */
import { CRON_JOBS, JOBS } from "../../../adapters/engine/cluster/kinds.ts";
import { timeText } from "../api_objects.ts";
import { scheduleOf, startCron } from "./cron.ts";
import { isFinished } from "./job_controller.ts";
import type { CronJob, Job } from "./objects.ts";
import { controlledBy, type Workshop } from "./workshop.ts";

const SCHEDULED = "batch.kubernetes.io/cronjob-scheduled-timestamp";

export function startCronJobController(shop: Workshop): void {
  const crons = shop.of<CronJob>(CRON_JOBS), jobs = shop.of<Job>(JOBS);
  const component = "cronjob-controller";
  startCron<CronJob, Job>({
    ...{ shop, crons, runs: jobs },
    rules({ metadata, spec, status }) {
      const schedule = scheduleOf(spec.schedule, spec.timeZone);
      return {
        schedules: schedule instanceof Error ? [] : [schedule],
        isSuspended: spec.suspend,
        policy: spec.concurrencyPolicy,
        since: Date.parse(status.lastScheduleTime ?? metadata.creationTimestamp),
        // Without a limit whatever was missed, also while suspended, runs as soon as it can.
        latenessMs: (spec.startingDeadlineSeconds ?? Infinity) * 1000,
        history: { good: spec.successfulJobsHistoryLimit, bad: spec.failedJobsHistoryLimit },
      };
    },
    outcome(job) {
      if (!isFinished(job)) return undefined;
      return job.status.succeeded ? "good" : "bad";
    },
    mint(cron, slot) {
      const { name } = cron.metadata, { timeZone, jobTemplate } = cron.spec;
      jobs.create({
        metadata: {
          name: `${name}-${Math.floor(slot / 60_000)}`,
          labels: jobTemplate.metadata?.labels ?? {},
          annotations: { ...jobTemplate.metadata?.annotations, [SCHEDULED]: zoned(slot, timeZone ?? "UTC") },
          ownerReferences: [controlledBy(CRON_JOBS, cron)],
        },
        spec: jobTemplate.spec,
      });
      crons.update(name, (draft) => void (draft.status.lastScheduleTime = timeText(slot)));
    },
    tell({ metadata: { name } }, active) {
      crons.update(name, (draft) => {
        draft.status.active = active.map(({ metadata }) => ({
          ...{ apiVersion: JOBS.apiVersion, kind: JOBS.kind },
          ...{ name: metadata.name, namespace: shop.namespace, uid: metadata.uid },
        }));
      });
    },
    forbidden(cron) {
      const message = "Not starting job because prior execution is running and concurrency policy is Forbid";
      shop.event(cron, { reason: "JobAlreadyActive", message, type: "Normal", component });
    },
  });
}

/** RFC 3339 with the zone's offset at that time, as Go writes it: `Z` where there is none. */
function zoned(ms: number, timeZone: string): string {
  const parts = new Intl.DateTimeFormat("en", { timeZone, timeZoneName: "longOffset" }).formatToParts(ms);
  const offset = parts.find(({ type }) => type === "timeZoneName")?.value.replace("GMT", "") ?? "";
  const [, sign, hours, minutes] = /^([+-])(\d\d):(\d\d)$/.exec(offset) ?? [];
  const shift = sign === undefined ? 0 : (sign === "-" ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) * 60_000;
  return timeText(ms + shift).replace("Z", shift === 0 ? "Z" : offset);
}
