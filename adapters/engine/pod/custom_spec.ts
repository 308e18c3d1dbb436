/**
 * The incumbent's two files of custom fields: those of the container and those of a Workflow's spec. Each field says
 * what a row says, or is handed on, or is refused with the setting that says it.
 */
import * as z from "zod/mini";
import "../../../mod/messages.ts";
import { type Checked, problemsOf } from "../../problems.ts";
import { defined } from "../cluster/facts.ts";
import { PodRow } from "./row.ts";
import { merged, type Shape } from "./rows.ts";

/** What both files say. */
export interface CustomSpec {
  /** What holds for every pod. */
  base: Shape;
  /** Fields that only a Workflow has. */
  workflowSpec: Record<string, unknown>;
}

const row = PodRow.shape;
const id = z.int().check(z.nonnegative());
const RESTRICTED = {
  runAsNonRoot: z.optional(z.literal(true)),
  seccompProfile: z.optional(z.strictObject({ type: z.literal("RuntimeDefault") })),
  runAsUser: row.runAsUser,
  runAsGroup: z.optional(id),
};
const ContainerSecurity = z.strictObject({
  ...RESTRICTED,
  readOnlyRootFilesystem: row.readOnlyRootFilesystem,
  allowPrivilegeEscalation: z.optional(z.literal(false)),
  privileged: z.optional(z.literal(false)),
  capabilities: z.optional(z.strictObject({ drop: z.tuple([z.literal("ALL")]) })),
});
const PodSecurity = z.strictObject({
  ...RESTRICTED,
  fsGroup: z.optional(id),
  fsGroupChangePolicy: z.optional(z.enum(["Always", "OnRootMismatch"])),
  supplementalGroups: z.optional(z.array(id)),
});

const anything = z.optional(z.unknown());
const refused = (sentence: string) => z.optional(z.never(sentence));

const ContainerSpec = z.strictObject({
  env: row.env,
  volumeMounts: row.volumeMounts,
  resources: row.resources,
  imagePullPolicy: row.imagePullPolicy,
  securityContext: z.optional(ContainerSecurity),
  envFrom: z.optional(z.array(z.looseObject({}))),
  workingDir: z.optional(z.string()),
  lifecycle: anything,
  livenessProbe: anything,
  readinessProbe: anything,
  startupProbe: anything,
  ports: anything,
  stdin: anything,
  tty: anything,
  name: z.optional(z.literal("main", "the runner names the job's container: leave it out, or say main")),
  image: refused("INGESTION_IMAGE or image of a pipeline type says it"),
  command: refused("command of a pipeline type says it, for the document is delivered by it"),
  args: refused("args of a pipeline type says it, for the document is delivered by it"),
  terminationMessagePath: refused("the runner reads the job's end at Kubernetes' own place"),
  terminationMessagePolicy: refused("what a job logs is never copied into its status"),
});

/** What says of a Workflow how it goes is the runner's; the rest is of its pod, or Argo's own. */
const OURS = ["entrypoint", "templates", "templateDefaults", "arguments", "workflowTemplateRef", "synchronization"];
const MORE_OF_OURS = ["ttlStrategy", "shutdown", "suspend", "hooks", "onExit", "podSpecPatch", "workflowMetadata"];
const UNSAFE = ["hostNetwork", "hostPID", "hostIPC"];
const WorkflowSpec = z.strictObject({
  tolerations: row.tolerations,
  nodeSelector: row.nodeSelector,
  affinity: row.affinity,
  topologySpreadConstraints: row.topologySpreadConstraints,
  serviceAccountName: row.serviceAccount,
  automountServiceAccountToken: row.automountServiceAccountToken,
  imagePullSecrets: row.imagePullSecrets,
  volumes: row.volumes,
  priorityClassName: row.priorityClassName,
  podPriorityClassName: row.priorityClassName,
  hostAliases: row.hostAliases,
  dnsPolicy: row.dnsPolicy,
  dnsConfig: row.dnsConfig,
  schedulerName: row.schedulerName,
  runtimeClassName: row.runtimeClassName,
  terminationGracePeriodSeconds: row.terminationGracePeriodSeconds,
  activeDeadlineSeconds: row.deadlineSeconds,
  securityContext: z.optional(PodSecurity),
  podMetadata: z.optional(z.strictObject({ labels: row.labels, annotations: row.annotations })),
  parallelism: anything,
  podGC: anything,
  metrics: anything,
  priority: anything,
  archiveLogs: anything,
  artifactRepositoryRef: anything,
  podDisruptionBudget: anything,
  executor: anything,
  volumeClaimTemplates: anything,
  volumeClaimGC: anything,
  retryStrategy: refused("retries of a job or of a pipeline type says it"),
  ...Object.fromEntries([...OURS, ...MORE_OF_OURS].map((key) => [key, refused("the runner itself says it")])),
  ...Object.fromEntries(UNSAFE.map((key) => [key, refused("it opens the node to the job")])),
});

// Members that are undefined would overrule those of a less specific row: hence `defined`.

/** Reads the parsed file of container fields. */
export function readContainerSpec(value: unknown): Checked<Shape> {
  const checked = ContainerSpec.safeParse(value ?? {});
  if (!checked.success) return { problems: problemsOf(checked.error) };
  const { env, volumeMounts, resources, imagePullPolicy, securityContext, name: _, ...container } = checked.data;
  const { runAsUser, runAsGroup, readOnlyRootFilesystem } = securityContext ?? {};
  const said = { env, volumeMounts, resources, imagePullPolicy, runAsUser, runAsGroup, readOnlyRootFilesystem };
  return { value: defined({ ...said, ...Object.keys(container).length > 0 ? { container } : {} }) };
}

/** Reads the parsed file of a Workflow's fields. */
export function readWorkflowSpec(value: unknown): Checked<CustomSpec> {
  const checked = WorkflowSpec.safeParse(value ?? {});
  if (!checked.success) return { problems: problemsOf(checked.error) };
  const {
    tolerations,
    nodeSelector,
    affinity,
    topologySpreadConstraints,
    serviceAccountName: serviceAccount,
    automountServiceAccountToken,
    imagePullSecrets,
    volumes,
    priorityClassName,
    podPriorityClassName,
    hostAliases,
    dnsPolicy,
    dnsConfig,
    schedulerName,
    runtimeClassName,
    terminationGracePeriodSeconds,
    activeDeadlineSeconds: deadlineSeconds,
    securityContext,
    podMetadata: { labels, annotations } = {},
    ...workflowSpec
  } = checked.data;
  const { runAsUser, runAsNonRoot: _, seccompProfile: _profile, ...podSecurity } = securityContext ?? {};
  const base = defined({
    ...{ tolerations, nodeSelector, affinity, topologySpreadConstraints, serviceAccount, automountServiceAccountToken },
    ...{ imagePullSecrets, volumes, hostAliases, dnsPolicy, dnsConfig, schedulerName },
    ...{ runtimeClassName, terminationGracePeriodSeconds, deadlineSeconds, runAsUser, labels, annotations },
    // Argo's older word for the same.
    priorityClassName: podPriorityClassName ?? priorityClassName,
    ...Object.keys(podSecurity).length > 0 ? { podSecurity } : {},
  });
  return { value: { base, workflowSpec: defined(workflowSpec) } };
}

/** Both files as one; the container's fields say the last word. */
export function customSpec(container: Shape, workflow: CustomSpec): CustomSpec {
  return { base: merged(workflow.base, container), workflowSpec: workflow.workflowSpec };
}
