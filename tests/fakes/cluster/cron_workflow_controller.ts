/** Argo's CronWorkflows (https://argo-workflows.readthedocs.io/en/release-3.7/cron-workflows/). */
import { CRON_WORKFLOWS, WORKFLOWS } from "../../../adapters/engine/cluster/kinds.ts";
import { timeText } from "../api_objects.ts";
import { scheduleOf, startCron } from "./cron.ts";
import type { CronWorkflow, Workflow } from "./objects.ts";
import { controlledBy, type Workshop } from "./workshop.ts";

export function startCronWorkflowController(shop: Workshop): void {
  const crons = shop.of<CronWorkflow>(CRON_WORKFLOWS), workflows = shop.of<Workflow>(WORKFLOWS);

  /** What the spec says of slots; a spec that is wrong was accepted, never runs, and says so in a condition. */
  const schedulesOf = ({ metadata, spec }: CronWorkflow) => {
    const texts = spec.schedules ?? (spec.schedule === undefined ? [] : [spec.schedule]);
    const read = texts.map((text) => scheduleOf(text, spec.timezone));
    const wrong = read.find((schedule) => schedule instanceof Error);
    crons.update(metadata.name, (draft) => {
      const others = (draft.status?.conditions ?? []).filter(({ type }) => type !== "SpecError");
      const conditions = wrong ? [...others, { type: "SpecError", status: "True", message: wrong.message }] : others;
      draft.status = { ...draft.status, conditions };
    });
    return wrong ? [] : read.flatMap((schedule) => schedule instanceof Error ? [] : [schedule]);
  };

  startCron<CronWorkflow, Workflow>({
    ...{ shop, crons, runs: workflows },
    rules(cron) {
      const { metadata, spec, status } = cron;
      const last = status?.lastScheduledTime;
      return {
        schedules: schedulesOf(cron),
        isSuspended: spec.suspend ?? false,
        policy: spec.concurrencyPolicy ?? "Allow",
        since: Date.parse(last ?? metadata.creationTimestamp),
        // What was missed runs late only where a deadline says so, and something ran before.
        latenessMs: last ? (spec.startingDeadlineSeconds ?? -1) * 1000 : -1,
        history: { good: spec.successfulJobsHistoryLimit ?? 3, bad: spec.failedJobsHistoryLimit ?? 1 },
      };
    },
    outcome({ status }) {
      if (status?.phase === "Succeeded") return "good";
      return status?.phase === "Failed" || status?.phase === "Error" ? "bad" : undefined;
    },
    mint(cron, slot) {
      const { name } = cron.metadata, { workflowMetadata, workflowSpec } = cron.spec;
      workflows.create({
        metadata: {
          name: `${name}-${Math.floor(slot / 1000)}`,
          labels: { ...workflowMetadata?.labels, "workflows.argoproj.io/cron-workflow": name },
          annotations: { ...workflowMetadata?.annotations, "workflows.argoproj.io/scheduled-time": timeText(slot) },
          ownerReferences: [controlledBy(CRON_WORKFLOWS, cron)],
        },
        spec: workflowSpec,
      });
      crons.update(name, (draft) => void (draft.status = { ...draft.status, lastScheduledTime: timeText(slot) }));
    },
    tell({ metadata: { name } }, active) {
      crons.update(name, (draft) => {
        draft.status = {
          ...draft.status,
          active: active.map(({ metadata }) => ({
            ...{ apiVersion: WORKFLOWS.apiVersion, kind: WORKFLOWS.kind },
            ...{ name: metadata.name, namespace: shop.namespace, uid: metadata.uid },
          })),
        };
      });
    },
  });
}
