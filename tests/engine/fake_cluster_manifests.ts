/** Objects as one would write them by hand, after the documentation of Kubernetes and of Argo Workflows. */
import type { Behaviour } from "../contract/engine.ts";

type Fields = Record<string, unknown>;
interface Written {
  apiVersion: string;
  kind: string;
  metadata: { name: string; labels?: Record<string, string> };
  spec: Fields;
}

const container = (behaviour: Behaviour) => ({
  name: "main",
  image: "busybox:1.36",
  env: [{ name: "BEHAVIOUR", value: JSON.stringify(behaviour) }],
});
const resolve = { name: "resolve", image: "hybrid-runner:test" };

/** A Job of one pod; `spec` and `pod` say more. */
export function job(
  name: string,
  behaviour: Behaviour,
  { spec = {}, pod = {} }: { spec?: Fields; pod?: Fields } = {},
): Written {
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { name, labels: { suite: "fake" } },
    spec: {
      backoffLimit: 0,
      template: {
        metadata: { labels: { suite: "fake" } },
        spec: { restartPolicy: "Never", initContainers: [resolve], containers: [container(behaviour)], ...pod },
      },
      ...spec,
    },
  };
}

/** A CronJob of such Jobs. */
export function cronJob(name: string, schedule: string, behaviour: Behaviour, spec: Fields = {}): Written {
  return {
    apiVersion: "batch/v1",
    kind: "CronJob",
    metadata: { name },
    spec: {
      ...{ schedule, timeZone: "Europe/Berlin", concurrencyPolicy: "Forbid", startingDeadlineSeconds: 30 },
      jobTemplate: { metadata: { labels: { suite: "fake" } }, spec: job(name, behaviour).spec },
      ...spec,
    },
  };
}

/** A Workflow of one step; `spec` and `template` say more. */
export function workflow(
  name: string,
  behaviour: Behaviour,
  { spec = {}, template = {} }: { spec?: Fields; template?: Fields } = {},
): Written {
  return {
    apiVersion: "argoproj.io/v1alpha1",
    kind: "Workflow",
    metadata: { name, labels: { suite: "fake" } },
    spec: {
      entrypoint: "main",
      serviceAccountName: "ingestion",
      podSpecPatch: JSON.stringify({ terminationGracePeriodSeconds: 5, containers: [{ name: "wait", tty: true }] }),
      templates: [{ name: "main", container: container(behaviour), initContainers: [resolve], ...template }],
      ...spec,
    },
  };
}

/** A CronWorkflow of such Workflows. */
export function cronWorkflow(name: string, schedule: string, behaviour: Behaviour, spec: Fields = {}): Written {
  return {
    apiVersion: "argoproj.io/v1alpha1",
    kind: "CronWorkflow",
    metadata: { name },
    spec: {
      ...{ schedules: [schedule], timezone: "Europe/Berlin", concurrencyPolicy: "Forbid", startingDeadlineSeconds: 30 },
      workflowMetadata: { labels: { suite: "fake" } },
      workflowSpec: workflow(name, behaviour).spec,
      ...spec,
    },
  };
}
