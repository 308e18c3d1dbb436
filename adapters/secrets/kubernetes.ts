/** Secrets of the cluster that this pod runs in: one GET of one named Secret for each, with this pod's own account. */
import { Buffer } from "node:buffer";
import * as z from "zod/mini";
import { Fault, type FaultCode, reasonOf } from "../../mod/fault.ts";
import type { SecretName, SecretsProvider, SecretValue } from "../../mod/ports.ts";
import { Secret } from "../../mod/secrets/secret.ts";
import { orAbort } from "../../mod/waiting.ts";
import { createClusterAccess } from "../cluster/access.ts";
import { findCluster } from "../cluster/config.ts";
import type { ClusterAccess } from "../cluster/port.ts";
import { systemClock, systemRandom } from "../clock.ts";

/** Where the Secrets are and who asks. */
export interface KubernetesSecretsOptions {
  access: Pick<ClusterAccess, "get">;
  namespace: string;
  /** The account's name (`system:serviceaccount:NAMESPACE:NAME`) as its own token tells it, for messages. */
  identity(signal: AbortSignal): Promise<string | undefined>;
}

/** The key that is read of a Secret with several where none is asked for. */
export const DEFAULT_KEY = "value";

/** Four tries of this length and the pauses between them end before the 60 s of `resolve`, so that the reason is told. */
const TRY_MS = 10_000;
const KEYS_SHOWN = 10;
const Data = z.object({ data: z.nullish(z.record(z.string(), z.string())) });
const Claims = z.object({ sub: z.string() });

/**
 * Finds the cluster (KUBECONFIG, else the pod's own account) and the namespace (SECRETS_NAMESPACE, else the account's
 * own). Nothing is asked of the API server yet. Faults: `invalid`, `unavailable`.
 */
export async function openKubernetesSecrets(
  getenv: (name: string) => string | undefined,
  signal: AbortSignal,
): Promise<SecretsProvider> {
  const config = await findCluster({ env: getenv }, signal);
  const access = createClusterAccess(config, {
    clock: systemClock,
    random: systemRandom,
    log: () => {},
    timeoutMs: TRY_MS,
  });
  let reading = 0;
  return createKubernetesSecrets({
    access: {
      async get(target, signal) {
        reading++;
        try {
          return await access.get(target, signal);
        } finally {
          // Nobody says when the last secret was read; a connection that is still wanted is made anew.
          if (--reading === 0) access.close();
        }
      },
    },
    namespace: getenv("SECRETS_NAMESPACE") || config.namespace,
    identity: async (signal) => subjectOf(await config.token(signal)),
  });
}

/** Reads `secrets/<name>`: the key that the reference names, else `value`, else the only one. */
export function createKubernetesSecrets(options: KubernetesSecretsOptions): SecretsProvider {
  const { access, namespace } = options;
  return {
    kind: "kubernetes",
    read: async (name, signal) => {
      signal.throwIfAborted();
      const target = { apiVersion: "v1", resource: "secrets", namespace, name: name.name };
      let found: unknown;
      try {
        found = await orAbort(access.get(target, signal), signal);
      } catch (error) {
        signal.throwIfAborted();
        const identity = await options.identity(signal).catch(() => undefined);
        signal.throwIfAborted();
        throw refusal(error, name, namespace, identity);
      }
      return valueIn(found, name, namespace);
    },
  };
}

/** Who a service account's token says that it is: its claim `sub`, not verified. Undefined for any other token. */
export function subjectOf(token: string | undefined): string | undefined {
  const claims = token?.split(".")[1];
  if (claims === undefined) return undefined;
  try {
    const read = Claims.safeParse(JSON.parse(Buffer.from(claims, "base64url").toString()));
    return read.success ? read.data.sub : undefined;
  } catch {
    // The parser's own error would quote a part of the token.
    return undefined;
  }
}

function valueIn(found: unknown, name: SecretName, namespace: string): SecretValue {
  const where = `the Secret "${name.name}" in namespace ${namespace}`;
  const read = Data.safeParse(found);
  if (!read.success) throw fault("malformed", name, `what the API server answers for ${where} is no Secret`);
  const data = read.data.data ?? {};
  const keys = Object.keys(data);
  const listed = keys.slice(0, KEYS_SHOWN).join(", ") + (keys.length > KEYS_SHOWN ? ", …" : "");
  if (name.key !== undefined && !Object.hasOwn(data, name.key)) {
    throw fault("not_found", name, `${where} has no key ${name.key}; ${keys.length === 0 ? "none" : listed} is there`);
  }
  const key = name.key ?? (Object.hasOwn(data, DEFAULT_KEY) || keys.length !== 1 ? DEFAULT_KEY : keys[0] ?? "");
  const encoded = Object.hasOwn(data, key) ? data[key] : undefined;
  if (encoded !== undefined) return { value: Secret.of(bytesOf(encoded, key, name, where)) };
  const reason = keys.length === 0
    ? `${where} has no keys; store the value under the key ${DEFAULT_KEY}`
    : `${where} has ${keys.length} keys (${listed}) and none is named ${DEFAULT_KEY}; ` +
      `say which one: ${name.reference}#${keys[0]}`;
  throw fault("malformed", name, reason);
}

function bytesOf(encoded: string, key: string, name: SecretName, where: string): Uint8Array {
  const bytes = Buffer.from(encoded, "base64");
  // The decoder leaves out what it does not know, in silence.
  if (bytes.toString("base64") === encoded) return bytes;
  throw fault("malformed", name, `the key ${key} of ${where} is not base64, as the API writes it`);
}

/** Why it was not read. The API server's own words on Secrets are never repeated: only who it took us for. */
function refusal(error: unknown, name: SecretName, namespace: string, identity: string | undefined): Fault {
  if (!(error instanceof Fault)) {
    const what = error instanceof Error ? error.name : typeof error;
    return fault("internal", name, `unexpected ${what}`);
  }
  const seen = /User "([^"]+)"/.exec(error.message)?.[1] ?? identity;
  const who = seen ?? "this pod's account";
  if (error.code === "not_found") {
    const create = `kubectl create secret generic ${name.name} -n ${namespace} --from-file=${DEFAULT_KEY}=FILE`;
    const remedy = `create it (${create}), or correct the reference or SECRETS_NAMESPACE`;
    return fault(
      "not_found",
      name,
      `${who} finds no Secret "${name.name}" in namespace ${namespace}; ${remedy}`,
      error,
    );
  }
  if (error.code === "denied" && error.details.rule?.startsWith("rbac")) {
    const rule = `apiGroups: [""], resources: ["secrets"], resourceNames: ["${name.name}"], verbs: ["get"]`;
    const reason = `${who} may not get the Secret "${name.name}" in namespace ${namespace} (whether it exists is not ` +
      `told); add to a Role in namespace ${namespace} that is bound to this account: {${rule}}`;
    return fault("denied", name, reason, error, `get secrets "${name.name}" in namespace ${namespace}`);
  }
  return fault(error.code, name, `${reasonOf(error)} (asked as ${who})`, error, error.details.rule);
}

function fault(code: FaultCode, name: SecretName, reason: string, cause?: Fault, rule?: string): Fault {
  return new Fault(code, `Cannot read secret "${name.reference}" from kubernetes: ${reason}`, {
    ...cause === undefined ? {} : { cause },
    ...rule === undefined ? {} : { rule },
  });
}
