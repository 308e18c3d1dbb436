/** `SECRETS_MANAGER` → the provider: one row per accepted value. */
import { asFault, Fault } from "../../mod/fault.ts";
import type { SecretsProvider } from "../../mod/ports.ts";
import { isSecretsManager, SECRETS_MANAGERS, type SecretsManager, unknownManager } from "../../mod/secrets/mapping.ts";
import { orAbort } from "../../mod/waiting.ts";
import { createEnvSecrets } from "./env.ts";
import { createFileSecrets } from "./file.ts";

/** Reads one environment variable. */
export type Getenv = (name: string) => string | undefined;

/**
 * The provider that the environment chooses (`SECRETS_MANAGER`; `SECRETS_DIR` for `file`, `SECRETS_NAMESPACE` and
 * KUBECONFIG for `kubernetes`). Faults: `invalid` for an unknown value or a missing setting, `unavailable` for a
 * provider that this version does not have yet.
 */
export function createSecretsProvider(getenv: Getenv): SecretsProvider {
  const manager = getenv("SECRETS_MANAGER") || SECRETS_MANAGERS[0];
  if (!isSecretsManager(manager)) throw unknownManager(manager);
  return rows[manager](getenv, manager);
}

const later = (_getenv: Getenv, manager: SecretsManager): SecretsProvider => {
  const built = SECRETS_MANAGERS.filter((known) => rows[known] !== later).join(", ");
  throw new Fault("unavailable", `Cannot use SECRETS_MANAGER "${manager}": not in this version yet; it has ${built}`);
};

const file = (getenv: Getenv): SecretsProvider => {
  const dir = getenv("SECRETS_DIR");
  if (dir) return createFileSecrets(dir);
  const reason = "SECRETS_DIR is not set; set it to the folder that holds the secrets";
  throw new Fault("invalid", `Cannot use SECRETS_MANAGER "file": ${reason}`, { path: "SECRETS_DIR" });
};

/** The code that speaks to a cluster is loaded with the first read; what fails then is tried anew with the next. */
const kubernetes = (getenv: Getenv): SecretsProvider => {
  const namespace = getenv("SECRETS_NAMESPACE");
  if (namespace && !/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(namespace)) {
    const reason = `SECRETS_NAMESPACE is ${JSON.stringify(namespace)}, which is no namespace's name; correct it`;
    throw new Fault("invalid", `Cannot use SECRETS_MANAGER "kubernetes": ${reason}`, { path: "SECRETS_NAMESPACE" });
  }
  let opened: Promise<SecretsProvider> | undefined;
  const open = async (): Promise<SecretsProvider> => {
    try {
      const { openKubernetesSecrets } = await import("./kubernetes.ts");
      // One of many readers opens it; its abort must not be theirs.
      return await openKubernetesSecrets(getenv, new AbortController().signal);
    } catch (error) {
      opened = undefined;
      throw error;
    }
  };
  return {
    kind: "kubernetes",
    read: async (name, signal) => {
      signal.throwIfAborted();
      let provider: SecretsProvider;
      try {
        provider = await orAbort(opened ??= open(), signal);
      } catch (error) {
        signal.throwIfAborted();
        const cause = asFault(error, "reach the cluster");
        throw new Fault(cause.code, `Cannot read secret "${name.reference}" from kubernetes: ${cause.message}`, {
          cause,
        });
      }
      return await provider.read(name, signal);
    },
  };
};

const rows: Record<SecretsManager, (getenv: Getenv, manager: SecretsManager) => SecretsProvider> = {
  kubernetes,
  "managed-aws": later,
  aws: later,
  "managed-aws-ssm": later,
  "aws-ssm": later,
  gcp: later,
  "managed-azure-kv": later,
  "azure-kv": later,
  vault: later,
  file,
  env: createEnvSecrets,
};
