/** Reads a run's archived log: the attempts one after the other, without timestamps, so resumed by counting lines. */
import { Fault, isFault, reasonOf } from "../../../../mod/fault.ts";
import type { LogPiece } from "../../../../mod/ports.ts";
import type { ArchivedAttempt, LogArchive } from "./archive.ts";
import { bytesOf } from "./body.ts";
import { ARCHIVE, formatCursor, type Position } from "./cursor.ts";
import { createLineBlocks } from "./lines.ts";

/** An archive that sends nothing for so long is broken, milliseconds. */
const SILENCE_MS = 60_000;

/**
 * What comes after the position, and the end; true if the archive has the log. Of a position in the pods' logs the
 * lines given so far count: what was told as a gap may then come again, nothing is left out.
 */
export async function* readArchived(
  archive: LogArchive,
  from: Position,
  signal: AbortSignal,
): AsyncGenerator<LogPiece, boolean> {
  const attempts = await archive.attempts(signal);
  if (attempts === undefined) return false;
  const at = { attempt: ARCHIVE, stamp: "", lines: 0, total: 0 };
  let found = 0;
  for (const attempt of attempts) {
    for await (const text of textsOf(archive, attempt, signal)) {
      if (text === undefined) {
        found++;
        continue;
      }
      const lines = text.split("\n").map((line) => line.endsWith("\r") ? line.slice(0, -1) : line);
      const known = Math.max(0, from.total - at.total);
      at.total += lines.length;
      if (known < lines.length) {
        yield { kind: "lines", lines: lines.slice(known), cursor: formatCursor({ ...at }) };
      }
    }
  }
  if (found === 0) return false;
  yield { kind: "end", reason: found < attempts.length ? "gone" : "finished", cursor: formatCursor(at) };
  return true;
}

/** Texts of whole lines; undefined stands at the end of a log that was read whole. Nothing comes of one that is gone. */
async function* textsOf(
  archive: LogArchive,
  attempt: ArchivedAttempt,
  signal: AbortSignal,
): AsyncGenerator<string | undefined, void> {
  const blocks = createLineBlocks(0);
  let isGone = false;
  const open = async (own: AbortSignal) => {
    const body = await attempt.open(own);
    isGone = body === undefined;
    return body ?? new Blob([]).stream();
  };
  try {
    for await (const bytes of bytesOf(open, SILENCE_MS, signal)) yield* blocks.take(bytes);
  } catch (error) {
    signal.throwIfAborted();
    if (isFault(error)) throw error;
    const reason = `the connection broke (${reasonOf(error)})`;
    throw new Fault("unavailable", `Cannot read the log from ${archive.place}: ${reason}`, { cause: error });
  }
  if (isGone) return;
  const rest = blocks.rest();
  if (rest !== "") yield rest;
  yield undefined;
}
