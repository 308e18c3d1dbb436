/** A log without the lines that are not the job's. */
import type { LogPiece } from "../../../../mod/ports.ts";

/** The same pieces; one that holds nothing else goes, since the cursor of the next one covers it. */
export async function* withoutLines(
  pieces: AsyncIterable<LogPiece>,
  isForeign: (line: string) => boolean,
): AsyncGenerator<LogPiece> {
  for await (const piece of pieces) {
    if (piece.kind !== "lines") {
      yield piece;
      continue;
    }
    const lines = piece.lines.filter((line) => !isForeign(line));
    if (lines.length > 0) yield lines.length === piece.lines.length ? piece : { ...piece, lines };
  }
}
