/** Which engine runs the jobs: what EXECUTOR_TYPE says, else what the cluster offers, or none with the reason. */
import { isFault } from "../../mod/fault.ts";
import type { Engine, EngineLogs, Log } from "../../mod/ports.ts";
import { OBJECT_LIFE_SLACK_SECONDS } from "../../mod/flow/starts.ts";
import { systemClock, systemRandom } from "../clock.ts";
import type { Settings } from "../settings.ts";
import { createNoEngine } from "./none.ts";

/** The engine that was chosen; one without logs leaves `logs` out. */
export interface Chosen {
  engine: Engine & Partial<EngineLogs> & { close?(): Promise<void> };
  /** Why no jobs can run, where they cannot. */
  message?: string;
}

/**
 * Faults: `conflict` where another runner uses the local engine's state folder, `unavailable` where a cluster is
 * configured and does not answer, `invalid` for settings that the engine cannot follow.
 */
export async function chooseEngine(
  settings: Settings,
  env: (name: string) => string | undefined,
  log: Log,
  signal: AbortSignal,
): Promise<Chosen> {
  if (settings.executor === "local") return await local(settings, env, log);
  if (settings.executor === "auto" && !env("KUBECONFIG") && !env("KUBERNETES_SERVICE_HOST")) {
    return none(
      "no EXECUTOR_TYPE is set, and there is no cluster (neither KUBECONFIG nor KUBERNETES_SERVICE_HOST is set)",
    );
  }
  const { openClusterEngine } = await import("./cluster/open.ts");
  const options = { settings, env, clock: systemClock, random: systemRandom, log };
  return { engine: await openClusterEngine(options, signal) };
}

async function local(
  settings: Settings,
  env: (name: string) => string | undefined,
  log: Log,
): Promise<Chosen> {
  try {
    const { createLocalEngine } = await import("./local/engine.ts");
    const { commands = {}, ...rest } = settings.file.local ?? {};
    const engine = await createLocalEngine({
      agentId: settings.agentId,
      stateDir: settings.stateDir ?? "",
      commands,
      ...rest,
      secrets: secretsEnvironment(settings, env),
      // Longer than announced: a start that the clocks' tolerance still lets in must find what it made before.
      ttlSeconds: settings.objectLifeSeconds + OBJECT_LIFE_SLACK_SECONDS,
      clock: systemClock,
      log,
    });
    return { engine };
  } catch (error) {
    // Without the right to start processes (the compiled program) the runner still connects and says why it is idle.
    // Anything else (a disk that fails) ends the start, which is tried anew from outside.
    const { state } = await Deno.permissions.query({ name: "run" });
    if (isFault(error, "unavailable") && state !== "granted") return none(error.message);
    throw error;
  }
}

function none(message: string): Chosen {
  return { engine: createNoEngine(message), message };
}

/** What the wrapper needs to make its own secrets provider: the settings by their names, never a value. */
function secretsEnvironment(
  { secretsManager, secretsDir }: Settings,
  env: (name: string) => string | undefined,
): Record<string, string> {
  const home = env("HOME");
  return {
    SECRETS_MANAGER: secretsManager,
    ...secretsDir === undefined ? {} : { SECRETS_DIR: secretsDir },
    ...home === undefined ? {} : { HOME: home },
  };
}
