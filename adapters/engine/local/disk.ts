/** The few ways in which the local engine touches its folder: whole files, files of which the first wins, and locks. */
import type * as z from "zod/mini";
import { Fault, reasonOf } from "../../../mod/fault.ts";

/** Private to the user: documents carry references, which are nobody else's to read. */
const MODE = 0o600;

/** Writes the file as a whole: a reader, or a crash, meets the old text or the new one. */
export async function writeWhole(path: string, text: string): Promise<void> {
  const temporary = await writeTemporary(path, text);
  await Deno.rename(temporary, path);
}

/** Writes the file as a whole unless it exists; false if it does. Of many writers exactly one gets true. */
export async function writeOnce(path: string, text: string): Promise<boolean> {
  const temporary = await writeTemporary(path, text);
  try {
    // A hard link is the one call that is atomic, keeps what is there, and never shows half a text.
    await Deno.link(temporary, path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return false;
    throw error;
  } finally {
    await Deno.remove(temporary).catch(() => {});
  }
}

async function writeTemporary(path: string, text: string): Promise<string> {
  const temporary = `${path}.tmp-${crypto.randomUUID()}`;
  const file = await Deno.open(temporary, { write: true, createNew: true, mode: MODE });
  try {
    const bytes = new TextEncoder().encode(text);
    for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
    await file.syncData();
  } finally {
    file.close();
  }
  return temporary;
}

/** The file's text; undefined if there is none. */
export async function readText(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

/** The file's JSON by its schema; undefined if there is none. Faults: `malformed`. */
export async function readJson<T>(path: string, schema: z.ZodMiniType<T>): Promise<T | undefined> {
  const text = await readText(path);
  if (text === undefined) return undefined;
  try {
    return schema.parse(JSON.parse(text));
  } catch (error) {
    throw new Fault("malformed", `Cannot read ${path}: ${reasonOf(error).slice(0, 300)}`, { cause: error });
  }
}

/** True if there is such a file or folder. */
export async function exists(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (error) {
    if (isAbsent(error)) return false;
    throw error;
  }
}

/** Names in the folder; none if there is no folder. */
export async function namesIn(folder: string): Promise<string[]> {
  const names: string[] = [];
  try {
    for await (const entry of Deno.readDir(folder)) names.push(entry.name);
  } catch (error) {
    if (!isAbsent(error)) throw error;
  }
  return names;
}

/** Removes a file or a folder with all that is in it; nothing there is a success. */
export async function removeAll(path: string): Promise<void> {
  try {
    await Deno.remove(path, { recursive: true });
  } catch (error) {
    if (!isAbsent(error)) throw error;
  }
}

/**
 * Takes the file's exclusive lock (flock) if nobody has it. It lasts until the answer is closed or the process is
 * gone, however it went: that is what makes it a sign of life. Throws NotFound if the folder does not exist.
 */
export async function takeLock(path: string): Promise<Deno.FsFile | undefined> {
  const file = await Deno.open(path, { read: true, write: true, create: true, mode: MODE });
  let taken = false;
  try {
    taken = await file.tryLock(true);
  } finally {
    if (!taken) file.close();
  }
  return taken ? file : undefined;
}

/** True if the error says that there is no such file or folder. */
export function isAbsent(error: unknown): boolean {
  return error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory;
}
