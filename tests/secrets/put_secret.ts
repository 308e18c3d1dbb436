/** Puts Secrets into a cluster, be it real or a fake. */
import { Buffer } from "node:buffer";
import type { ClusterAccess } from "../../adapters/cluster/port.ts";
import { isFault } from "../../mod/fault.ts";

/** Creates the Secret, or replaces all its keys. */
export async function putSecret(
  admin: ClusterAccess,
  namespace: string,
  name: string,
  values: Record<string, string | Uint8Array>,
): Promise<void> {
  const never = new AbortController().signal;
  const data = Object.fromEntries(
    Object.entries(values).map(([key, value]) => [key, Buffer.from(value).toString("base64")]),
  );
  const target = { apiVersion: "v1", resource: "secrets", namespace };
  try {
    await admin.create(target, { apiVersion: "v1", kind: "Secret", metadata: { name }, type: "Opaque", data }, never);
  } catch (error) {
    if (!isFault(error, "conflict")) throw error;
    await admin.delete({ ...target, name }, {}, never);
    await putSecret(admin, namespace, name, values);
  }
}
