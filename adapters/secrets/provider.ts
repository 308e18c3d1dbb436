/** `SECRETS_MANAGER` → the provider: one row per accepted value. */
import { Fault } from "../../mod/fault.ts";
import type { SecretsProvider } from "../../mod/ports.ts";
import { isSecretsManager, SECRETS_MANAGERS, type SecretsManager, unknownManager } from "../../mod/secrets/mapping.ts";
import { createEnvSecrets } from "./env.ts";
import { createFileSecrets } from "./file.ts";

/** Reads one environment variable. */
export type Getenv = (name: string) => string | undefined;

/**
 * The provider that the environment chooses (`SECRETS_MANAGER`, and `SECRETS_DIR` for `file`). Faults: `invalid` for an
 * unknown value or a missing setting, `unavailable` for a provider that this version does not have yet.
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

const rows: Record<SecretsManager, (getenv: Getenv, manager: SecretsManager) => SecretsProvider> = {
  kubernetes: later,
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
