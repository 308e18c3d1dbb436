/** What of the settings the jobs' pods are made by, for one engine. */
import { Fault } from "../../../mod/fault.ts";
import { isSecretsManager, type SecretsManager, unknownManager } from "../../../mod/secrets/mapping.ts";
import { reveal } from "../../../mod/secrets/secret.ts";
import type { JobKind } from "../../../mod/run.ts";
import type { Settings } from "../../settings.ts";
import type { EnvVar } from "../cluster/manifest.ts";
import { PROVIDERS } from "./providers.ts";
import type { Amounts } from "./resources.ts";
import type { PipelineTypes } from "./row.ts";
import { mergedEnv, mergedTypes, type Shape, shapeOf } from "./rows.ts";

/** All that `createJobPods` knows of the world. */
export interface PodSettings {
  engine: "argo" | "kubernetes";
  secretsManager: SecretsManager;
  /** The folder of the provider `file`. */
  secretsDir?: string;
  secretsNamespace: string;
  /** This runner's own image; without it no job can have its references resolved. */
  runnerImage?: string;
  /** OpenMetadata's image; without it every job or row must name its own. */
  ingestionImage?: string;
  serviceAccount: string;
  automountToken: boolean;
  imagePullSecrets: readonly string[];
  /** Variables of every job; rows may overrule them. */
  env: readonly EnvVar[];
  /** What OpenMetadata's own loader looks for, where it resolves references itself. */
  loaderEnv: readonly EnvVar[];
  /** What the step that resolves is told of its provider. */
  resolveEnv: readonly EnvVar[];
  resources: Amounts;
  automationResources: Amounts;
  types: PipelineTypes;
  /** What the custom spec files say of every pod. */
  base: Shape;
  workflowSpec: Record<string, unknown>;
}

/** Where the engine works. */
export interface PodPlace {
  engine: "argo" | "kubernetes";
  /** The jobs' namespace. */
  namespace: string;
  /** The runner's own environment. */
  env(name: string): string | undefined;
}

/** Fault `invalid`: a custom spec that this engine cannot follow, a volume that is mounted and nowhere declared. */
export function podSettings(settings: Settings, { engine, namespace, env }: PodPlace): PodSettings {
  const { secretsManager, secretsDir, pods = {}, file } = settings;
  if (!isSecretsManager(secretsManager)) throw unknownManager(secretsManager);
  const { variables, loader } = PROVIDERS[secretsManager];
  const secretsNamespace = settings.secretsNamespace ?? namespace;
  const workflowSpec = pods.custom?.workflowSpec ?? {};
  const [first] = Object.keys(workflowSpec);
  if (engine === "kubernetes" && first !== undefined) {
    const reason = `Kubernetes Jobs have no ${first}, only Workflows do; take it out, or use EXECUTOR_TYPE=argo`;
    throw new Fault("invalid", `Cannot use ${pods.workflowSpecPath}: ${reason}`, { path: first });
  }
  // Whoever moves from one engine to the other keeps what was said of the pods.
  const own = engine === "argo" ? pods.argo ?? pods.kubernetes : pods.kubernetes ?? pods.argo;
  const types = mergedTypes(own ?? {}, file.ingestion?.pipelineTypes ?? {});
  const base = pods.custom?.base ?? {};
  checkMounts(base, types);
  return {
    engine,
    secretsManager,
    ...secretsDir === undefined ? {} : { secretsDir: secretsDir.replace(/(?<=.)\/+$/, "") },
    secretsNamespace,
    ...settings.runnerImage === undefined ? {} : { runnerImage: settings.runnerImage },
    ...settings.ingestionImage === undefined ? {} : { ingestionImage: settings.ingestionImage },
    serviceAccount: settings.ingestionServiceAccount,
    automountToken: settings.automountToken,
    imagePullSecrets: settings.imagePullSecrets ?? [],
    env: mergedEnv(
      settings.serverHostApiUrl === undefined
        ? []
        : [{ name: "SERVER_HOST_API_URL", value: settings.serverHostApiUrl }],
      // They stand in the pod for everybody who may read pods: what is secret belongs in the document.
      (settings.extraEnvs ?? []).map(({ name, value }) => ({ name, value: reveal(value) })),
    ),
    loaderEnv: loader?.({ secretsNamespace, env }) ?? [],
    resolveEnv: variables.flatMap((name) => env(name) ? [{ name, value: env(name) }] : []),
    resources: {
      requests: { cpu: settings.cpuRequest, memory: settings.memoryRequest },
      limits: { cpu: settings.cpuLimit, memory: settings.memoryLimit },
    },
    automationResources: {
      requests: { cpu: settings.automationCpuRequest, memory: settings.automationMemoryRequest },
      limits: { cpu: settings.automationCpuLimit, memory: settings.automationMemoryLimit },
    },
    types,
    base,
    workflowSpec,
  };
}

const JOB_KINDS: readonly JobKind[] = ["pipeline", "automation", "application"];

/** The API server would say it too, but of each job anew. */
function checkMounts(base: Shape, types: PipelineTypes): void {
  for (const kind of JOB_KINDS) {
    for (const type of ["default", ...Object.keys(types)]) {
      const { volumes = [], volumeMounts = [] } = shapeOf(base, types, kind, type);
      const lost = volumeMounts.find((mount) => !volumes.some(({ name }) => name === mount.name));
      if (!lost) continue;
      const reason = `volumeMounts names the volume ${lost.name} (${lost.mountPath}), and no volumes declare it`;
      throw new Fault("invalid", `Cannot make pods of type ${type}: ${reason}`, { path: "volumeMounts" });
    }
  }
}
