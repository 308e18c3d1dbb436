/** Reads a run's log file. The cursor is the offset in bytes; readers pull, so a slow one costs no memory. */
import { Fault } from "../../../mod/fault.ts";
import type { Clock, LogOptions, LogPiece } from "../../../mod/ports.ts";
import { LIMITS } from "../../../mod/protocol/methods.ts";
import { isAbsent } from "./disk.ts";
import type { RunLook } from "./files.ts";

/** The log of one run. */
export interface LogSource {
  /** For messages. */
  runId: string;
  /** The log file. */
  path: string;
  /** What the disk says of the run; undefined when it is gone. */
  look(): Promise<RunLook | undefined>;
  /** Tells the time, and waits. */
  clock: Clock;
}

/** How often a followed log is looked at for more. */
const POLL_MS = 100;
/** Aimed at in one piece; a line that is longer comes alone. */
const PIECE_BYTES = LIMITS.logChunkBytes;

/** Pieces of whole lines; the last line counts without newline when the run has ended. Faults: `not_found`, `invalid`. */
export async function* readLog(source: LogSource, options: LogOptions, signal: AbortSignal): AsyncGenerator<LogPiece> {
  signal.throwIfAborted();
  let offset = parseCursor(source.runId, options.cursor);
  if (await source.look() === undefined) {
    throw new Fault("not_found", `Cannot read the log of run ${source.runId}: there is no such run`);
  }
  let file: Deno.FsFile | undefined;
  try {
    for (let isFirst = true;; isFirst = false) {
      signal.throwIfAborted();
      // Before reading: what a run wrote before it was seen ended is then read below.
      const look = await source.look();
      const isOver = look === undefined || look.ended !== undefined;
      file ??= await openLog(source.path);
      if (look === undefined || (file === undefined && look.running !== undefined)) {
        return yield { kind: "end", reason: "gone", cursor: String(offset) };
      }
      if (file !== undefined) {
        const { size } = await file.stat();
        if (offset > size && isFirst) {
          const reason = `the log has ${size} bytes, the cursor says ${offset}`;
          throw new Fault("invalid", `Cannot read the log of run ${source.runId}: ${reason}`, { path: "cursor" });
        }
        for await (const piece of readOn(file, offset, size, isOver, signal)) {
          offset = Number(piece.cursor);
          yield piece;
        }
      }
      if (isOver) return yield { kind: "end", reason: "finished", cursor: String(offset) };
      if (!options.follow) return yield { kind: "end", reason: "not-following", cursor: String(offset) };
      await source.clock.sleep(POLL_MS, signal);
    }
  } finally {
    file?.close();
  }
}

/** Whole lines between the offset and the size; with `toEnd` also what stands behind the last newline. */
async function* readOn(
  file: Deno.FsFile,
  from: number,
  size: number,
  toEnd: boolean,
  signal: AbortSignal,
): AsyncGenerator<Extract<LogPiece, { kind: "lines" }>> {
  let offset = from;
  let want = PIECE_BYTES;
  while (offset < size) {
    signal.throwIfAborted();
    const bytes = await readAt(file, offset, Math.min(want, size - offset));
    if (bytes.length === 0) return;
    const isRest = offset + bytes.length >= size;
    const end = bytes.lastIndexOf(NEWLINE) + 1 || (toEnd && isRest ? bytes.length : 0);
    if (end === 0) {
      if (isRest) return;
      // A line that is longer than a piece: read more of it at once.
      want *= 2;
      continue;
    }
    want = PIECE_BYTES;
    offset += end;
    const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes.subarray(0, end));
    const lines = (text.endsWith("\n") ? text.slice(0, -1) : text).split("\n");
    yield { kind: "lines", lines, cursor: String(offset) };
  }
}

const NEWLINE = 10;

async function readAt(file: Deno.FsFile, offset: number, length: number): Promise<Uint8Array> {
  await file.seek(offset, Deno.SeekMode.Start);
  const bytes = new Uint8Array(length);
  let filled = 0;
  while (filled < length) {
    const read = await file.read(bytes.subarray(filled));
    if (read === null) break;
    filled += read;
  }
  return bytes.subarray(0, filled);
}

async function openLog(path: string): Promise<Deno.FsFile | undefined> {
  try {
    return await Deno.open(path);
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

function parseCursor(runId: string, cursor: string | undefined): number {
  if (cursor === undefined) return 0;
  if (/^\d{1,15}$/.test(cursor)) return Number(cursor);
  const reason = `"${cursor.slice(0, 40)}" is no cursor of this engine`;
  throw new Fault("invalid", `Cannot read the log of run ${runId}: ${reason}`, { path: "cursor" });
}
