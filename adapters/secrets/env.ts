/** Secrets as environment variables, for development and for platforms that hand them over in no other way. */
import { Fault, reasonOf } from "../../mod/fault.ts";
import type { SecretName, SecretsProvider, SecretValue } from "../../mod/ports.ts";
import { pickKey } from "../../mod/secrets/pick.ts";
import { Secret } from "../../mod/secrets/secret.ts";

/**
 * Reads the variable that the mapping names (`HYBRID_RUNNER_SECRET_…`). An empty variable is an empty secret; an unset
 * one is `not_found`.
 */
export function createEnvSecrets(getenv: (name: string) => string | undefined): SecretsProvider {
  const read = (name: SecretName): SecretValue => {
    const subject = `Cannot read secret "${name.reference}" from env`;
    let value: string | undefined;
    try {
      value = getenv(name.name);
    } catch (error) {
      if (error instanceof Error && (error.name === "NotCapable" || error.name === "PermissionDenied")) {
        const reason = `this program was started without the right to read ${name.name} (--allow-env)`;
        throw new Fault("denied", `${subject}: ${reason}`, { cause: error, rule: "--allow-env" });
      }
      // The system's error for bytes that are not UTF-8 quotes them; only its class is told.
      const what = error instanceof Error ? error.name : reasonOf(error);
      throw new Fault("malformed", `${subject}: ${name.name} cannot be read as text (${what})`);
    }
    if (value === undefined) {
      throw new Fault("not_found", `${subject}: ${name.name} is not set; set it, or correct the reference`);
    }
    return { value: pickKey(Secret.of(value), name, "env") };
  };
  return {
    kind: "env",
    read: (name, signal) => {
      if (signal.aborted) return Promise.reject(signal.reason);
      return Promise.try(read, name);
    },
  };
}
