/** The pod of a Workflow's one step as Argo makes it: its own containers, its variables, its patch. */
import { parse } from "yaml";
import { WORKFLOWS } from "../../../adapters/engine/cluster/kinds.ts";
import type { PodSpec } from "../../../adapters/engine/cluster/manifest.ts";
import { isRecord } from "../api_objects.ts";
import type { Workflow, WorkflowSpec, WorkflowTemplate } from "./objects.ts";
import { controlledBy } from "./workshop.ts";

/** What the entrypoint's template becomes for this Workflow. Throws an Error with Argo's words where it cannot. */
export function templateOf(workflow: Workflow): { spec: WorkflowSpec; template: WorkflowTemplate } {
  const spec = filledIn(workflow.spec, workflow, true);
  const template = workflow.spec.templates.find(({ name }) => name === workflow.spec.entrypoint);
  if (template === undefined) throw new Error(`invalid spec: spec.entrypoint ${workflow.spec.entrypoint} undefined`);
  return { spec, template: filledIn(template, workflow, false) };
}

/** The pod to create; `attempt` counts from 0 where the template has a retry strategy. */
export function podOf(workflow: Workflow, attempt: number | undefined): CreatedPod {
  const { name } = workflow.metadata;
  const { spec, template } = templateOf(workflow);
  const { entrypoint: _e, templates: _t, shutdown: _s, synchronization: _y, ttlStrategy: _l, ...rest } = spec;
  const { podMetadata, podSpecPatch, retryStrategy: _r, volumes = [], activeDeadlineSeconds: _d, ...ofPod } = rest;
  const node = nodeName(workflow, attempt);
  const pod: PodSpec = {
    ...ofPod,
    restartPolicy: "Never",
    terminationGracePeriodSeconds: 30,
    ...template.activeDeadlineSeconds === undefined
      ? {}
      : { activeDeadlineSeconds: Number(template.activeDeadlineSeconds) },
    ...template.serviceAccountName === undefined ? {} : { serviceAccountName: template.serviceAccountName },
    initContainers: [{ name: "init", image: ARGOEXEC }, ...template.initContainers ?? []],
    containers: [
      { name: "wait", image: ARGOEXEC },
      { image: "", ...template.container, name: "main" },
      ...template.sidecars ?? [],
    ],
    volumes: [{ name: "var-run-argo", emptyDir: {} }, ...template.volumes ?? [], ...volumes],
  };
  const patched = [podSpecPatch, template.podSpecPatch].reduce<unknown>(
    (value, patch) => patch === undefined ? value : strategic(value, parse(patch)),
    pod,
  );
  return {
    metadata: {
      ...{ name: podName(workflow, attempt), ownerReferences: [controlledBy(WORKFLOWS, workflow)] },
      labels: {
        ...podMetadata?.labels,
        ...template.metadata?.labels,
        ...{ "workflows.argoproj.io/workflow": name, "workflows.argoproj.io/completed": "false" },
      },
      annotations: {
        ...podMetadata?.annotations,
        ...template.metadata?.annotations,
        "kubectl.kubernetes.io/default-container": "main",
        "workflows.argoproj.io/node-id": podName(workflow, attempt),
        "workflows.argoproj.io/node-name": node,
      },
    },
    spec: patched as PodSpec,
  };
}

/** `<workflow>` for a single step, `<workflow>-<template>-<number>` for an attempt of one that is retried. */
export function podName({ metadata: { name }, spec: { entrypoint } }: Workflow, attempt: number | undefined): string {
  return attempt === undefined ? name : `${name}-${entrypoint}-${hash(`${name}(${attempt})`)}`;
}

/** `<workflow>` or `<workflow>(0)`. */
export function nodeName({ metadata: { name } }: Workflow, attempt: number | undefined): string {
  return attempt === undefined ? name : `${name}(${attempt})`;
}

interface CreatedPod {
  [field: string]: unknown;
  metadata: { name: string; [field: string]: unknown };
  spec: PodSpec;
}

const ARGOEXEC = "quay.io/argoproj/argoexec:v3.7.4";

/** Fills in `{{workflow.uid}}` and its kin, wherever it stands; of expressions only a quoted text is understood. */
function filledIn<T>(value: T, { metadata, spec }: Workflow, mayBeLeft: boolean): T {
  const known: Record<string, string> = {
    "workflow.name": metadata.name,
    "workflow.uid": metadata.uid,
    "workflow.namespace": metadata.namespace ?? "",
    "workflow.creationTimestamp": metadata.creationTimestamp,
    "workflow.mainEntrypoint": spec.entrypoint,
    "workflow.serviceAccountName": spec.serviceAccountName ?? "",
  };
  const filled = JSON.stringify(value).replace(/\{\{(.*?)\}\}/g, (tag: string, inner: string) => {
    const [, quoted] = /^=\s*'([^']*)'\s*$/.exec(inner) ?? [];
    const found = quoted ?? known[inner.trim()];
    if (found !== undefined) return JSON.stringify(found).slice(1, -1);
    if (mayBeLeft) return tag;
    throw new Error(`invalid spec: templates.${spec.entrypoint}: failed to resolve ${tag}`);
  });
  return JSON.parse(filled);
}

/** Lists whose items are merged by a field (https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/). */
const MERGE_KEYS: Readonly<Record<string, string>> = {
  ...{ containers: "name", initContainers: "name", volumes: "name", env: "name", imagePullSecrets: "name" },
  ...{ volumeMounts: "mountPath", hostAliases: "ip" },
};

function strategic(target: unknown, patch: unknown, field = ""): unknown {
  const key = MERGE_KEYS[field];
  if (Array.isArray(patch) && key !== undefined) {
    const items: unknown[] = Array.isArray(target) ? [...target] : [];
    for (const item of patch) {
      const at = items.findIndex((one) => isRecord(one) && isRecord(item) && one[key] === item[key]);
      if (at >= 0) items[at] = strategic(items[at], item);
      else items.push(item);
    }
    return items;
  }
  if (!isRecord(patch) || !isRecord(target)) return patch;
  const result = { ...target };
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name];
    else result[name] = strategic(result[name], value, name);
  }
  return result;
}

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) value = Math.imul(value ^ byte, 0x01000193) >>> 0;
  return value;
}
