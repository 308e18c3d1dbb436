/** The files of `hybrid-runner resolve`. */
import { Fault, type FaultCode, reasonOf } from "../mod/fault.ts";
import { DOCUMENT_LIMIT_BYTES } from "../mod/job.ts";
import { revealBytes, type Secret } from "../mod/secrets/secret.ts";

/** What the kubelet takes of a termination message. */
const TERMINATION_LIMIT_BYTES = 4096;

/** The document's text; `-` is standard input. Faults: `invalid` (not there, too large, not UTF-8). */
export async function readDocument(
  path: string,
  stdin: (() => ReadableStream<Uint8Array>) | undefined,
  signal: AbortSignal,
): Promise<string> {
  const invalid = (reason: string, cause?: unknown) =>
    new Fault("invalid", `Cannot read the document ${path}: ${reason}`, { path: "document", cause });
  let bytes: Uint8Array;
  try {
    const stream = path !== "-" ? (await Deno.open(path)).readable : stdin ? stdin() : Deno.stdin.readable;
    bytes = await readUpTo(stream, DOCUMENT_LIMIT_BYTES + 1, signal);
  } catch (error) {
    signal.throwIfAborted();
    throw invalid(reasonOf(error), error);
  }
  if (bytes.length > DOCUMENT_LIMIT_BYTES) throw invalid(`it is larger than ${DOCUMENT_LIMIT_BYTES / 1024} KiB`);
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw invalid("it is not UTF-8 text");
  }
}

async function readUpTo(stream: ReadableStream<Uint8Array>, limit: number, signal: AbortSignal): Promise<Uint8Array> {
  const reader = stream.getReader();
  const cancel = () => void reader.cancel(signal.reason).catch(() => {});
  signal.addEventListener("abort", cancel, { once: true });
  try {
    if (signal.aborted) cancel();
    const chunks: Uint8Array[] = [];
    let length = 0;
    while (length < limit) {
      const { done, value } = await reader.read();
      signal.throwIfAborted();
      if (done) break;
      chunks.push(value);
      length += value.length;
    }
    if (length >= limit) await reader.cancel();
    return new Uint8Array(await new Blob(chunks.map((chunk) => new Uint8Array(chunk))).arrayBuffer());
  } finally {
    signal.removeEventListener("abort", cancel);
    reader.releaseLock();
  }
}

/**
 * Puts a file there in one step, readable by user and group only (0440): nobody ever sees a half of it. Faults: `denied`,
 * `unavailable`.
 */
export async function putFile(path: string, content: Secret): Promise<void> {
  const slash = path.lastIndexOf("/") + 1;
  // In the same folder, or the rename would be a copy.
  const temporary = `${path.slice(0, slash)}.${path.slice(slash)}.part`;
  try {
    await removeIfThere(temporary);
    try {
      using file = await Deno.open(temporary, { write: true, createNew: true, mode: 0o440 });
      const bytes = revealBytes(content);
      for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
      await file.sync();
      // The mode given above was cut by the umask.
      await Deno.chmod(temporary, 0o440);
      await Deno.rename(temporary, path);
    } catch (error) {
      await removeIfThere(temporary).catch(() => {});
      throw error;
    }
  } catch (error) {
    throw unwritable("write the resolved document to", path, error);
  }
}

/** Takes what an earlier attempt left away; nothing there is fine. Never the document itself: that is `invalid`. */
export async function removeFile(path: string, document: string): Promise<void> {
  const [target, source] = await Promise.all([path, document].map((each) => Deno.realPath(each).catch(() => each)));
  if (target === source) {
    throw new Fault("invalid", `Cannot resolve ${document} into itself: name another file`, { path: "out" });
  }
  try {
    await removeIfThere(path);
  } catch (error) {
    throw unwritable("remove the earlier attempt's", path, error);
  }
}

/** What the kubelet shows as the container's reason: code and sentence, cut to what it takes. */
export async function writeTermination(path: string, code: FaultCode, message: string): Promise<void> {
  const encoder = new TextEncoder();
  let shown = message.toWellFormed();
  const text = () => JSON.stringify({ code, message: shown });
  while (encoder.encode(text()).length > TERMINATION_LIMIT_BYTES) {
    shown = `${shown.slice(0, Math.floor(shown.length * 0.9)).toWellFormed()}…`;
  }
  await Deno.writeTextFile(path, text());
}

async function removeIfThere(path: string): Promise<void> {
  try {
    // An empty folder would be removed as well.
    if ((await Deno.lstat(path)).isDirectory) throw new Error("it is a folder");
    await Deno.remove(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

function unwritable(action: string, path: string, error: unknown): Fault {
  const name = error instanceof Error ? error.name : "";
  const codes: Record<string, FaultCode> = { PermissionDenied: "denied", NotCapable: "denied" };
  const reason = `${reasonOf(error)}; the folder must exist and this process must be allowed to write there`;
  return new Fault(codes[name] ?? "unavailable", `Cannot ${action} ${path}: ${reason}`, { cause: error });
}
