/** The cluster engine as the settings want it: access, which of the two, its pods, and the one that was there before. */
import { Fault, isFault, reasonOf } from "../../../mod/fault.ts";
import { OBJECT_LIFE_SLACK_SECONDS } from "../../../mod/flow/starts.ts";
import type { Clock, Log } from "../../../mod/ports.ts";
import { createClusterAccess } from "../../cluster/access.ts";
import { findCluster } from "../../cluster/config.ts";
import type { ClusterAccess } from "../../cluster/port.ts";
import type { Settings } from "../../settings.ts";
import { argoDialect } from "../argo/dialect.ts";
import { kubernetesDialect } from "../kubernetes/dialect.ts";
import { createJobPods } from "../pod/pods.ts";
import { podSettings } from "../pod/settings.ts";
import { type ArgoArchive, createArgoArchive } from "./logs/archive.ts";
import type { Dialect } from "./dialect.ts";
import { type ClusterEngine, createClusterEngine } from "./engine.ts";
import { ARGO_API, WORKFLOWS } from "./kinds.ts";
import { createSuccession } from "./succession.ts";

/** What opening takes of the world. */
export interface OpenOptions {
  settings: Settings;
  env(name: string): string | undefined;
  clock: Clock;
  random: { float(): number };
  log: Log;
}

const DIALECTS: Readonly<Record<Dialect["engine"], Dialect>> = { argo: argoDialect, kubernetes: kubernetesDialect };

/**
 * Opens it. With EXECUTOR_TYPE set nothing is asked of the cluster here, so that a cluster that is away keeps no runner
 * from starting. Faults: `unavailable` (no cluster is configured, or none answers and the engine is not said), `invalid`.
 */
export async function openClusterEngine(options: OpenOptions, signal: AbortSignal): Promise<ClusterEngine> {
  const { settings, env, clock, random, log } = options;
  const config = await findCluster({ env }, signal);
  const access = createClusterAccess(config, { clock, random, log });
  try {
    const namespace = settings.ingestionNamespace ?? access.namespace;
    const kind = settings.executor === "argo"
      ? "argo"
      : settings.executor === "simpleK8s"
      ? "kubernetes"
      : await offered(access, namespace, log, signal);
    log("info", "engine.chosen", { engine: kind, reason: `namespace ${namespace}, ${config.source}` });
    const { promise: mayBegin, resolve: begin } = Promise.withResolvers<void>();
    const base = {
      agentId: settings.agentId,
      ...{ access, namespace, clock, random, log },
      pods: createJobPods(podSettings(settings, { engine: kind, namespace, env })),
      // Longer than announced: a start that the clocks' tolerance still lets in must find what was made before.
      ttlSeconds: settings.objectLifeSeconds + OBJECT_LIFE_SLACK_SECONDS,
      startDeadlineSeconds: settings.startDeadlineSeconds,
      ...archiveOf(settings),
    };
    const former = DIALECTS[kind === "argo" ? "kubernetes" : "argo"];
    const never = new Promise<void>(() => {});
    const engine = createSuccession({
      ...base,
      former,
      makeFormer: () => createClusterEngine({ ...base, dialect: former, mayBegin: never, polls: true }),
      present: createClusterEngine({ ...base, dialect: DIALECTS[kind], mayBegin }),
      begin,
    });
    return {
      ...engine,
      async close() {
        await engine.close();
        access.close();
      },
    };
  } catch (error) {
    access.close();
    throw error;
  }
}

/** Argo where its kinds are served and may be read, else Jobs. */
async function offered(
  access: ClusterAccess,
  namespace: string,
  log: Log,
  signal: AbortSignal,
): Promise<Dialect["engine"]> {
  if (!(await access.served(ARGO_API, signal)).includes(WORKFLOWS.resource)) return "kubernetes";
  try {
    await access.page({ ...WORKFLOWS, namespace }, { limit: 1, metadataOnly: true }, signal);
    return "argo";
  } catch (error) {
    if (!isFault(error, "denied")) throw error;
    log("info", "engine.passed_over", { engine: "argo", reason: reasonOf(error) });
    return "kubernetes";
  }
}

function archiveOf(
  { argoServerUrl: endpoint, argoToken: token, argoServerCertificatePath: path }: Settings,
): { archive?: ArgoArchive } {
  if (endpoint === undefined) return {};
  const client = path === undefined
    ? {}
    : { client: Deno.createHttpClient({ caCerts: [readPem(path)], http2: false }) };
  return {
    archive: createArgoArchive({
      endpoint,
      ...token === undefined ? {} : { token },
      fetch: (url, init) => fetch(url, { ...init, ...client }),
    }),
  };
}

function readPem(path: string): string {
  let text: string;
  try {
    text = Deno.readTextFileSync(path);
  } catch (error) {
    throw new Fault("invalid", `Cannot read ARGO_SERVER_CERTIFICATE_PATH ${path}: ${reasonOf(error)}`, {
      cause: error,
    });
  }
  if (text.includes("-----BEGIN ")) return text;
  throw new Fault("invalid", `Cannot use ARGO_SERVER_CERTIFICATE_PATH ${path}: it is not PEM (no "-----BEGIN" line)`);
}
