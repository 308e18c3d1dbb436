/** The job's own container. */
import type { Job } from "../../../mod/job.ts";
import type { JobKind } from "../../../mod/run.ts";
import type { Container, EnvVar, VolumeMount } from "../cluster/manifest.ts";
import { CANARY, imageOf, isOpenMetadata } from "./delivery.ts";
import { API_TOKEN_PATH, API_TOKEN_VOLUME, CONFIG_PATH, CONFIG_VOLUME, DOCUMENT_VOLUME, MAIN } from "./names.ts";
import { MOUNTS, PROGRAM, TERMINATION_LOG, TMP_VOLUME } from "./names.ts";
import type { Definition, Placement } from "./port.ts";
import { isOnlyForResolve, PROVIDERS } from "./providers.ts";
import { resourcesOf } from "./resources.ts";
import { mergedEnv, type Shape } from "./rows.ts";
import type { PodSettings } from "./settings.ts";
import { isOurs } from "./wire.ts";

/** OpenMetadata's entry points, as the arguments of its interpreter. */
const ENTRY_POINTS: Record<JobKind, readonly string[]> = {
  pipeline: ["main.py"],
  automation: ["run_automation.py"],
  application: ["-m", "metadata.applications.runner"],
};

/**
 * Those entry points take the document from the variable `config`. Set from within, it is bound neither by the 128 KiB
 * that one variable of a new process can have, nor seen in /proc/PID/environ or the pod. What follows is run as
 * `python` itself would.
 */
export const PROLOGUE = "import os,runpy,sys;" +
  `os.environ['config']=open('${CONFIG_PATH}',encoding='utf-8',newline='').read();` +
  "m=sys.argv[1]=='-m';sys.argv=sys.argv[1+m:];" +
  "(runpy.run_module(sys.argv[0],run_name='__main__',alter_sys=True) if m else " +
  "runpy.run_path(sys.argv[0],run_name='__main__'))";

/** The container `main`: what the row says of it, within what the Restricted standard allows. */
export function mainContainer(
  settings: PodSettings,
  shape: Shape,
  { job, delivery }: Definition,
  placement: Placement,
): Container {
  const canary = job.type === CANARY;
  const readOnly = shape.readOnlyRootFilesystem ?? canary;
  const image = imageOf(settings, shape, job);
  const own = (shape.volumeMounts ?? []).filter(({ mountPath }) => !canary && !isSecretsFolder(settings, mountPath));
  const volumeMounts: VolumeMount[] = [
    { name: delivery === "inject" ? CONFIG_VOLUME : DOCUMENT_VOLUME, mountPath: MOUNTS.config, readOnly: true },
    ...hasToken(settings, shape, { job, delivery })
      ? [{ name: API_TOKEN_VOLUME, mountPath: API_TOKEN_PATH, readOnly: true }]
      : [],
    ...readOnly && !own.some(({ mountPath }) => mountPath === "/tmp") ? [{ name: TMP_VOLUME, mountPath: "/tmp" }] : [],
    ...own,
  ];
  return {
    ...canary ? {} : shape.container,
    name: MAIN,
    image,
    ...shape.imagePullPolicy === undefined ? {} : { imagePullPolicy: shape.imagePullPolicy },
    ...canary ? { command: [PROGRAM], args: ["version"] } : programOf(settings, shape, job.kind, image),
    env: canary ? oursAfter(oursBefore(job, placement)) : envOf(settings, shape, { job, delivery }, placement),
    resources: canary
      ? RUNNER_RESOURCES
      : resourcesOf(baseResources(settings, job.kind), shape.resources, job.resources),
    volumeMounts,
    securityContext: {
      ...RESTRICTED,
      ...readOnly ? { readOnlyRootFilesystem: true } : {},
      ...shape.runAsGroup === undefined ? {} : { runAsGroup: shape.runAsGroup },
    },
  };
}

/** What every container of ours says of its rights. */
export const RESTRICTED = {
  allowPrivilegeEscalation: false,
  runAsNonRoot: true,
  capabilities: { drop: ["ALL"] },
} as const;

/** What this runner's own image needs, in a job's pod. */
export const RUNNER_RESOURCES = {
  requests: { cpu: "50m", memory: "64Mi" },
  limits: { cpu: "200m", memory: "160Mi" },
} as const;

/** Variables of the settings for this job, those for the step that resolves included. */
export function settingsEnv(settings: PodSettings, shape: Shape): EnvVar[] {
  return mergedEnv(settings.env, shape.env ?? []);
}

/** True where a mount holds the secrets of the provider `file`: they are never the job's to see. */
export function isSecretsFolder({ secretsManager, secretsDir }: PodSettings, mountPath: string): boolean {
  if (secretsManager !== "file" || secretsDir === undefined) return false;
  return `${secretsDir}/`.startsWith(`${mountPath}/`) || mountPath.startsWith(`${secretsDir}/`);
}

/** True where the job's container gets its service account's token. */
export function hasToken(settings: PodSettings, shape: Shape, { job, delivery }: Definition): boolean {
  if (job.type === CANARY) return false;
  if (delivery === "passthrough" && PROVIDERS[settings.secretsManager].needsToken) return true;
  return shape.automountServiceAccountToken ?? settings.automountToken;
}

function programOf(
  settings: PodSettings,
  { command, args, delivery }: Shape,
  kind: JobKind,
  image: string,
): { command?: string[]; args?: string[] } {
  if ((delivery ?? (isOpenMetadata(settings, {}, image) ? "python-env" : "file")) === "file") {
    return { ...command === undefined ? {} : { command }, ...args === undefined ? {} : { args } };
  }
  return { command: [...command ?? ["python"], "-c", PROLOGUE], args: [...args ?? ENTRY_POINTS[kind]] };
}

function envOf(settings: PodSettings, shape: Shape, { job, delivery }: Definition, placement: Placement): EnvVar[] {
  const local = mergedEnv(delivery === "passthrough" ? settings.loaderEnv : [], settingsEnv(settings, shape))
    .filter(({ name }) => !isOnlyForResolve(name));
  const before = [...oursBefore(job, placement), ...local];
  // In the order of their names: an object that was stored and read again need not keep another.
  const wire = Object.entries(job.env ?? {}).sort(([a], [b]) => a < b ? -1 : 1)
    .filter(([name]) => !isOurs(name) && !before.some((ours) => ours.name === name))
    // Kubernetes reads $(NAME) as another variable's value, and $$ as $: what comes from afar is data.
    .map(([name, value]) => ({ name, value: value.replaceAll("$", "$$$$") }));
  return oursAfter([...before, ...wire]);
}

function oursBefore({ type }: Pick<Job, "type">, { runId }: Placement): EnvVar[] {
  return [{ name: "pipelineType", value: type }, { name: "pipelineRunId", ...runId }];
}

function oursAfter(env: EnvVar[]): EnvVar[] {
  return [
    ...env,
    { name: "HYBRID_RUNNER_CONFIG", value: CONFIG_PATH },
    { name: "HYBRID_RUNNER_TERMINATION_LOG", value: TERMINATION_LOG },
  ];
}

function baseResources({ resources, automationResources }: PodSettings, kind: JobKind) {
  return kind === "automation" ? automationResources : resources;
}
