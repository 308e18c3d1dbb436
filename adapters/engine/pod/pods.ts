/** The pods of jobs, the same for both cluster engines: settings, the row of the job's type, and what the job may say. */
import type { Container, PodSpec, Volume } from "../cluster/manifest.ts";
import { CANARY, deliver } from "./delivery.ts";
import { mainContainer, settingsEnv } from "./main_container.ts";
import {
  API_TOKEN_VOLUME,
  CONFIG_PATH,
  CONFIG_VOLUME,
  DOCUMENT_KEY,
  DOCUMENT_VOLUME,
  MOUNTS,
  TMP_VOLUME,
} from "./names.ts";
import type { Definition, JobPod, JobPods, Placement, Prepared } from "./port.ts";
import { resolveContainer } from "./resolve_container.ts";
import { type Shape, shapeOf } from "./rows.ts";
import type { PodSettings } from "./settings.ts";
import { checkWire } from "./wire.ts";

/** OpenMetadata's user, in its images and in its own Kubernetes client. */
const USER = 1000;
const GRACE_SECONDS = 60;

/** Makes pods by these settings. */
export function createJobPods(settings: PodSettings): JobPods {
  const shape = ({ kind, type }: Definition["job"]) => shapeOf(settings.base, settings.types, kind, type);
  const pod = (definition: Definition, placement: Placement) =>
    podOf(settings, shape(definition.job), definition, placement);
  return {
    prepare(job): Prepared {
      const { document: _, ...rest } = job;
      const of = shape(rest);
      const { delivery, document } = deliver(settings, of, job);
      const given = [...settingsEnv(settings, of), ...delivery === "passthrough" ? settings.loaderEnv : []];
      checkWire(rest, given.map(({ name }) => name));
      const definition: Definition = { job: rest, delivery };
      // Whatever is wrong with the pod is told now, and not when something was created already.
      pod(definition, { documentSecret: "none", runId: { value: "none" } });
      return { definition, document };
    },
    pod,
  };
}

function podOf(settings: PodSettings, shape: Shape, definition: Definition, placement: Placement): JobPod {
  const { job, delivery } = definition;
  const main = mainContainer(settings, shape, definition, placement);
  const initContainers = delivery === "inject" ? [resolveContainer(settings, shape)] : [];
  const deadline = job.deadlineSeconds ?? shape.deadlineSeconds;
  const pullSecrets = settings.imagePullSecrets.map((name) => ({ name }));
  const spec: PodSpec = {
    ...initContainers.length > 0 ? { initContainers } : {},
    containers: [main],
    volumes: volumesOf(settings, shape, definition, placement, [...initContainers, main]),
    restartPolicy: "Never",
    serviceAccountName: job.serviceAccount ?? shape.serviceAccount ?? settings.serviceAccount,
    // Each container that needs the token mounts it itself; an account that mounts it everywhere is overruled.
    automountServiceAccountToken: false,
    securityContext: securityOf(shape),
    terminationGracePeriodSeconds: shape.terminationGracePeriodSeconds ?? GRACE_SECONDS,
    ...deadline === undefined ? {} : { activeDeadlineSeconds: deadline },
    ...withPullSecrets([...pullSecrets, ...shape.imagePullSecrets ?? []]),
    ...taken(shape, PLACEMENT),
  };
  return {
    labels: { ...shape.labels, ...job.labels },
    annotations: { ...shape.annotations },
    spec,
    workflowSpec: settings.workflowSpec,
    retries: job.retries ?? shape.retries ?? 0,
  };
}

/** What a pod takes from its row as it stands. */
const PLACEMENT = [
  "nodeSelector",
  "tolerations",
  "affinity",
  "topologySpreadConstraints",
  "priorityClassName",
  "schedulerName",
  "runtimeClassName",
  "dnsPolicy",
  "dnsConfig",
  "hostAliases",
] as const satisfies (keyof Shape & keyof PodSpec)[];

function taken(shape: Shape, keys: typeof PLACEMENT): Partial<PodSpec> {
  return Object.fromEntries(keys.flatMap((key) => shape[key] === undefined ? [] : [[key, shape[key]]]));
}

/** One user for all containers: what `resolve` writes is for its owner and its group alone. */
function securityOf({ runAsUser = USER, podSecurity }: Shape): Record<string, unknown> {
  return {
    runAsNonRoot: true,
    seccompProfile: { type: "RuntimeDefault" },
    // By number, for the kubelet cannot tell whether a user with a name is root.
    ...runAsUser === null ? {} : { runAsUser, fsGroup: runAsUser },
    ...podSecurity,
  };
}

function volumesOf(
  settings: PodSettings,
  shape: Shape,
  { job, delivery }: Definition,
  { documentSecret }: Placement,
  containers: readonly Container[],
): Volume[] {
  const mounted = (name: string) =>
    containers.some(({ volumeMounts = [] }) => volumeMounts.some((m) => m.name === name));
  // Under the name that its reader looks for: the job itself where nothing is to be resolved.
  const path = delivery === "inject" ? DOCUMENT_KEY : CONFIG_PATH.slice(MOUNTS.config.length + 1);
  const secret = { secretName: documentSecret, items: [{ key: DOCUMENT_KEY, path }], defaultMode: 0o440 };
  return [
    { name: DOCUMENT_VOLUME, secret },
    ...mounted(CONFIG_VOLUME) ? [{ name: CONFIG_VOLUME, emptyDir: { medium: "Memory", sizeLimit: "4Mi" } }] : [],
    // Argo's own containers need one in every pod.
    ...settings.engine === "argo" || mounted(API_TOKEN_VOLUME) ? [TOKEN_VOLUME] : [],
    ...mounted(TMP_VOLUME) ? [{ name: TMP_VOLUME, emptyDir: {} }] : [],
    ...job.type === CANARY ? [] : shape.volumes ?? [],
  ];
}

/** What Kubernetes itself would mount: https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/ */
const TOKEN_VOLUME: Volume = {
  name: API_TOKEN_VOLUME,
  projected: {
    sources: [
      { serviceAccountToken: { path: "token", expirationSeconds: 3607 } },
      { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
      { downwardAPI: { items: [{ path: "namespace", fieldRef: { fieldPath: "metadata.namespace" } }] } },
    ],
  },
};

function withPullSecrets(names: { name: string }[]): Pick<PodSpec, "imagePullSecrets"> {
  const distinct = [...new Map(names.map((each) => [each.name, each])).values()];
  return distinct.length === 0 ? {} : { imagePullSecrets: distinct };
}
