/**
 * The Workflow of one run: one template with our init container and the job. Argo adds its own `init` and `wait`
 * containers; a pod spec patch makes them fit the restricted Pod Security standard and gives them the token that they
 * need (workflowtaskresults), so that the job itself needs none.
 */
import type { RunPlan } from "../cluster/dialect.ts";
import type { Container, EnvVar, PodSpec } from "../cluster/manifest.ts";
import { BORN_TTL_SECONDS } from "../cluster/limits.ts";
import { API_TOKEN_PATH, API_TOKEN_VOLUME, MAIN } from "../pod/names.ts";

/** The spec of a Workflow. */
export function workflowSpec(
  { pod, mutex, metadata }: Pick<RunPlan, "pod" | "mutex"> & { metadata: { labels: Record<string, string> } },
): Record<string, unknown> {
  const {
    initContainers = [],
    containers: [main, ...sidecars],
    volumes = [],
    restartPolicy: _never,
    serviceAccountName,
    imagePullSecrets,
    nodeSelector,
    tolerations,
    affinity,
    securityContext,
    activeDeadlineSeconds,
    hostAliases,
    ...rest
  } = pod.spec;
  if (main === undefined) throw new TypeError("a job's pod has a container");
  return {
    ...pod.workflowSpec,
    entrypoint: MAIN,
    ...given({
      serviceAccountName,
      imagePullSecrets,
      nodeSelector,
      tolerations,
      affinity,
      securityContext,
      hostAliases,
    }),
    ...mutex === undefined ? {} : { synchronization: { mutexes: [{ name: mutex }] } },
    ttlStrategy: { secondsAfterCompletion: BORN_TTL_SECONDS },
    podSpecPatch: JSON.stringify(podSpecPatch(rest, volumes.some(({ name }) => name === API_TOKEN_VOLUME))),
    templates: [{
      name: MAIN,
      metadata: { labels: { ...pod.labels, ...metadata.labels }, annotations: literals(pod.annotations) },
      ...given({ activeDeadlineSeconds }),
      ...pod.retries === 0 ? {} : { retryStrategy: { limit: String(pod.retries), retryPolicy: "Always" } },
      ...initContainers.length === 0 ? {} : { initContainers: initContainers.map(literalContainer) },
      container: literalContainer(main),
      ...sidecars.length === 0 ? {} : { sidecars: sidecars.map(literalContainer) },
      volumes,
    }],
  };
}

/** What no field of a Workflow says, and what Argo's own containers need; a strategic merge by container name. */
function podSpecPatch(rest: Partial<PodSpec>, hasTokenVolume: boolean): Record<string, unknown> {
  const token = hasTokenVolume && rest.automountServiceAccountToken === false
    ? { volumeMounts: [{ name: API_TOKEN_VOLUME, mountPath: API_TOKEN_PATH, readOnly: true }] }
    : {};
  const own = (name: string) => ({ name, securityContext: CONFINED, ...token });
  return { ...rest, initContainers: [own("init")], containers: [own("wait")] };
}

const CONFINED = {
  allowPrivilegeEscalation: false,
  capabilities: { drop: ["ALL"] },
  readOnlyRootFilesystem: true,
};

/**
 * Argo fills in `{{…}}` wherever it finds it. What comes from the wire or the settings is data: its braces are written as
 * an expression that yields them.
 */
export function literal(value: string): string {
  return value.replaceAll("{{", "{{='{{'}}");
}

const OUR_OWN = "{{workflow.uid}}";

function literalContainer(container: Container): Record<string, unknown> {
  const { env, command, args } = container;
  return {
    ...container,
    ...given({
      env: env?.map(literalEnv),
      command: command?.map(literal),
      args: args?.map(literal),
    }),
  };
}

function literalEnv(env: EnvVar): EnvVar {
  return env.value === undefined || env.value === OUR_OWN ? env : { ...env, value: literal(env.value) };
}

function literals(texts: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(texts).map(([key, value]) => [key, literal(value)]));
}

function given<T extends object>(members: T): Partial<T> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as Partial<T>;
}
