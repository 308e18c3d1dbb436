/** Harnesses of the providers that need nothing but this machine. */
import { createEnvSecrets } from "../../adapters/secrets/env.ts";
import { createFileSecrets, type FileAccess } from "../../adapters/secrets/file.ts";
import { mapReference } from "../../mod/secrets/mapping.ts";
import { parseReference } from "../../mod/secrets/reference.ts";
import type { SecretsHarness } from "../contract/secrets.ts";

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
