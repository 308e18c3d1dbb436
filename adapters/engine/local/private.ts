/** The folder that holds a run's resolved document: in memory where the machine allows it, and only while the job runs. */
import { uuidOf } from "../../../mod/names.ts";
import { namesIn, removeAll } from "./disk.ts";

/** Memory-backed on Linux; elsewhere the state folder serves. */
const MEMORY = "/dev/shm";

/** What the names of this engine's private folders begin with. */
export async function memoryPrefix(base: string): Promise<string> {
  const own = `hybrid-runner-${uuidOf(await Deno.realPath(base)).slice(0, 8)}-`;
  try {
    const probe = await Deno.makeTempDir({ dir: MEMORY, prefix: own });
    await Deno.remove(probe);
    return `${MEMORY}/${own}`;
  } catch {
    await Deno.mkdir(`${base}/private`, { recursive: true, mode: 0o700 });
    return `${base}/private/${own}`;
  }
}

/**
 * Writes the document for its owner's eyes only. A folder of this name that exists is not ours, since a run is started
 * once: whoever made it may be waiting to read, so it is an error.
 */
export async function writePrivate(prefix: string, name: string, document: Uint8Array): Promise<string> {
  const folder = `${prefix}${name}`;
  await Deno.mkdir(folder, { mode: 0o700 });
  const path = `${folder}/document`;
  await Deno.writeFile(path, document, { createNew: true, mode: 0o600 });
  return path;
}

/** Takes a run's private folder away. */
export async function removePrivate(prefix: string, name: string): Promise<void> {
  await removeAll(`${prefix}${name}`);
}

/** Names of the runs that have a private folder. */
export async function privateNames(prefix: string): Promise<string[]> {
  const cut = prefix.lastIndexOf("/");
  const start = prefix.slice(cut + 1);
  const names = await namesIn(prefix.slice(0, cut));
  return names.filter((name) => name.startsWith(`${start}hr-`)).map((name) => name.slice(start.length));
}
