/** Harnesses of the providers that need nothing but this machine. */
import { createClusterAccess } from "../../adapters/cluster/access.ts";
import type { ClusterConfig } from "../../adapters/cluster/config.ts";
import type { ClusterAccess } from "../../adapters/cluster/port.ts";
import { systemClock } from "../../adapters/clock.ts";
import { createEnvSecrets } from "../../adapters/secrets/env.ts";
import { createFileSecrets, type FileAccess } from "../../adapters/secrets/file.ts";
import { createKubernetesSecrets } from "../../adapters/secrets/kubernetes.ts";
import type { Clock } from "../../mod/ports.ts";
import { mapReference } from "../../mod/secrets/mapping.ts";
import { parseReference } from "../../mod/secrets/reference.ts";
import type { SecretsHarness } from "../contract/secrets.ts";
import { fakeApiServer } from "../fakes/api_server.ts";
import { putSecret } from "./put_secret.ts";

/** Real files in a temporary folder; a refusal is injected, because root may read everything. */
export async function fileHarness(): Promise<SecretsHarness> {
  const dir = await Deno.makeTempDir();
  const denied = new Set<string>();
  let broken = false;
  let hanging = false;
  const access: FileAccess = {
    realPath: (path) => {
      if (broken) {
        return Promise.reject(Object.assign(new Error("Stale file handle (os error 116)"), { code: "ESTALE" }));
      }
      return Deno.realPath(path);
    },
    stat: (path) => Deno.stat(path),
    read: async (path) => {
      if (hanging) await new Promise(() => {});
      if (denied.has(path)) throw new Deno.errors.PermissionDenied("Permission denied (os error 13)");
      return await Deno.readFile(path);
    },
  };
  const pathOf = (reference: string) => `${dir}/${mapReference("file", parseReference(reference)).name}`;
  return {
    provider: createFileSecrets(dir, access),
    put: async (reference, value) => {
      const path = pathOf(reference);
      await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
      await Deno.writeFile(path, typeof value === "string" ? new TextEncoder().encode(value) : value);
    },
    deny: async (reference) => void denied.add(await Deno.realPath(pathOf(reference))),
    break: () => Promise.resolve(void (broken = true)),
    hang: () => Promise.resolve(void (hanging = true)),
    close: () => Deno.remove(dir, { recursive: true }),
  };
}

/** A map in place of the environment. */
export function envHarness(): Promise<SecretsHarness> {
  const variables = new Map<string, string>();
  const denied = new Set<string>();
  return Promise.resolve({
    provider: createEnvSecrets((name) => {
      if (denied.has(name)) throw new Deno.errors.NotCapable(`Requires env access to "${name}"`);
      return variables.get(name);
    }),
    put: (reference, value) => {
      if (typeof value !== "string") throw new Error("a variable holds text only");
      return Promise.resolve(void variables.set(mapReference("env", parseReference(reference)).name, value));
    },
    deny: (reference) => Promise.resolve(void denied.add(mapReference("env", parseReference(reference)).name)),
    close: () => Promise.resolve(),
  });
}

/** The namespace of every Secret here. */
export const NAMESPACE = "secrets-here";
/** Whom the token of this suite is for. */
export const ACCOUNT = "system:serviceaccount:jobs:ingestion";

/** Real time, but pauses are a twentieth: between the tries nothing happens that is worth waiting for. */
const hastyClock: Clock = { now: systemClock.now, sleep: (ms, signal) => systemClock.sleep(ms / 20, signal) };

/** What the suite does to a cluster's Secrets beside the provider. */
export interface KubernetesHarness extends SecretsHarness {
  readonly admin: ClusterAccess;
}

/** Secrets of the fake API server. */
export async function kubernetesHarness(): Promise<KubernetesHarness> {
  const server = await fakeApiServer();
  const life = new AbortController();
  let isGone = false;
  const config: ClusterConfig = {
    server: server.url,
    namespace: "elsewhere",
    source: "the test",
    tls: () => Promise.resolve({}),
    token: () => Promise.resolve("no JWT"),
  };
  const options = { clock: hastyClock, log: () => {}, random: { float: () => 0 }, timeoutMs: 2000 };
  const access = createClusterAccess(config, options), admin = createClusterAccess(config, options);
  return {
    admin,
    provider: createKubernetesSecrets({
      // A read that nobody ends does not outlive the harness.
      access: { get: (target, signal) => access.get(target, AbortSignal.any([signal, life.signal])) },
      namespace: NAMESPACE,
      identity: () => Promise.resolve(ACCOUNT),
    }),
    put: (reference, value) => putSecret(admin, NAMESPACE, nameOf(reference), { value }),
    deny: () => Promise.resolve(server.deny("get", "secrets")),
    break: async () => {
      isGone = true;
      await server.close();
    },
    hang: () => Promise.resolve(server.hang()),
    close: async () => {
      life.abort();
      server.hang(false);
      access.close();
      admin.close();
      if (!isGone) await server.close();
    },
  };
}

/** The Secret's name that a reference maps to. */
export function nameOf(reference: string): string {
  return mapReference("kubernetes", parseReference(reference)).name;
}
