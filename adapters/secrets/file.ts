/** Secrets as files in a folder: a mounted Secret, a folder filled by a CSI driver, or one on a developer's disk. */
import { Fault, type FaultCode } from "../../mod/fault.ts";
import type { SecretName, SecretsProvider, SecretValue } from "../../mod/ports.ts";
import { pickKey } from "../../mod/secrets/pick.ts";
import { Secret } from "../../mod/secrets/secret.ts";
import { orAbort } from "../../mod/waiting.ts";

/** The largest file that is taken for a secret: what a Kubernetes Secret can hold. */
export const FILE_LIMIT_BYTES = 1024 * 1024;

/** The few calls to the file system that the provider makes. */
export interface FileAccess {
  /** The path with every link followed. */
  realPath(path: string): Promise<string>;
  /** What is there; links are followed. */
  stat(path: string): Promise<{ isFile: boolean; size: number }>;
  /** At most `limit` bytes from the start. */
  read(path: string, limit: number, signal: AbortSignal): Promise<Uint8Array>;
}

/**
 * Reads `<dir>/<path>`, raw. Links are followed as long as they stay in the folder: what the kubelet and CSI drivers
 * mount is made of links (`name` → `..data/name` → `..2024_…/name`).
 */
export function createFileSecrets(dir: string, access: FileAccess = fileSystem): SecretsProvider {
  const read = async (name: SecretName, signal: AbortSignal): Promise<SecretValue> => {
    const bytes = await bytesOf(dir, name, access, signal);
    return { value: pickKey(Secret.of(bytes), name, "file") };
  };
  return {
    kind: "file",
    read: async (name, signal) => {
      signal.throwIfAborted();
      // A file system that hangs (a network mount) does not answer an abort by itself.
      return await orAbort(read(name, signal), signal);
    },
  };
}

async function bytesOf(dir: string, name: SecretName, access: FileAccess, signal: AbortSignal): Promise<Uint8Array> {
  const path = `${dir.replace(/(?<=.)\/+$/, "")}/${name.name}`;
  const fault = (code: FaultCode, reason: string, cause?: unknown, rule?: string) =>
    new Fault(code, `Cannot read secret "${name.reference}" from file: ${reason}`, {
      ...(cause === undefined ? {} : { cause }),
      ...(rule === undefined ? {} : { rule }),
    });

  let root: string;
  try {
    root = await access.realPath(dir);
  } catch (error) {
    signal.throwIfAborted();
    if (rowOf(error) === rows.NotFound) {
      throw fault("unavailable", `the folder ${dir} does not exist; mount it, or correct SECRETS_DIR`, error);
    }
    const { code, reason } = rowOf(error);
    throw fault(code, `the folder ${dir}: ${reason}`, error);
  }

  // When the mounted Secret changes, the kubelet swaps the folder behind ..data: what was just found may be gone.
  for (let attempt = 1;; attempt++) {
    try {
      const real = await access.realPath(path);
      if (!real.startsWith(root === "/" ? root : `${root}/`)) {
        throw fault(
          "denied",
          `${path} is a link that leaves ${dir}; put the file itself there`,
          undefined,
          "SECRETS_DIR",
        );
      }
      const found = await access.stat(real);
      if (!found.isFile) throw fault("malformed", `${path} is no file`);
      const bytes = await access.read(real, FILE_LIMIT_BYTES + 1, signal);
      signal.throwIfAborted();
      if (bytes.length > FILE_LIMIT_BYTES) throw fault("malformed", `${path} is larger than 1 MiB`);
      return bytes;
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof Fault) throw error;
      const { code, reason } = rowOf(error);
      if (code === "not_found" && attempt < 2) continue;
      // The path comes last: before a colon its last part ("secret: …") would look like an assignment to the redactor.
      throw fault(code, `${reason} (the file is ${path})`, error);
    }
  }
}

/** What each of the system's errors means here, and what to do. */
const rows = {
  NotFound: { code: "not_found", reason: "no such file exists; put the secret there, or correct the reference" },
  NotADirectory: { code: "not_found", reason: "a part of the path is a file; correct the reference" },
  PermissionDenied: {
    code: "denied",
    reason: "the user of this process may not read it; grant it read access (in a pod: runAsUser, fsGroup)",
  },
  NotCapable: { code: "denied", reason: "this program was started without the right to read it (--allow-read)" },
  FilesystemLoop: { code: "malformed", reason: "its links go round in a circle" },
  ENAMETOOLONG: { code: "not_found", reason: "no file can have so long a name; correct the reference" },
  other: { code: "unavailable", reason: "the file system failed" },
} as const satisfies Record<string, { code: FaultCode; reason: string }>;

function rowOf(error: unknown): { code: FaultCode; reason: string } {
  if (!(error instanceof Error)) return rows.other;
  const system = "code" in error ? error.code : undefined;
  if (system === "ENAMETOOLONG") return rows.ENAMETOOLONG;
  if (system === "ENOTDIR") return rows.NotADirectory;
  for (const [key, row] of Object.entries(rows)) if (key === error.name) return row;
  return rows.other;
}

const fileSystem: FileAccess = {
  realPath: (path) => Deno.realPath(path),
  stat: (path) => Deno.stat(path),
  read: async (path, limit, signal) => {
    using file = await Deno.open(path, { read: true });
    const chunks: Uint8Array[] = [];
    let length = 0;
    while (length < limit) {
      signal.throwIfAborted();
      const chunk = new Uint8Array(Math.min(limit - length, 64 * 1024));
      const count = await file.read(chunk);
      if (count === null) break;
      chunks.push(chunk.subarray(0, count));
      length += count;
    }
    const bytes = new Uint8Array(length);
    let at = 0;
    for (const chunk of chunks) {
      bytes.set(chunk, at);
      at += chunk.length;
    }
    return bytes;
  },
};
