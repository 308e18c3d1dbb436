/**
 * Where a reader stands in a run's log. The kubelet gives no offsets, only a timestamp with each line, and two lines
 * may carry the same one: so a position is a line that can be found again (its anchor) and a number of lines from it.
 */
import { Fault } from "../../../../mod/fault.ts";

/** A place between two lines. */
export interface Position {
  /** The attempt: its pod's uid; `ARCHIVE`; "" before any. */
  attempt: string;
  /** The anchor's timestamp, UTC with nine digits; "" before the attempt's first line. */
  stamp: string;
  /** Lines given from the anchor on, it included; 0 when it comes next. */
  lines: number;
  /** Lines given of the whole run: what an archive, which has no timestamps, resumes by. */
  total: number;
}

/** The attempt of positions in an archived log. */
export const ARCHIVE = "archive";

/** Before the first line. */
export const BEGINNING: Position = { attempt: "", stamp: "", lines: 0, total: 0 };

const START = "start";
const SHAPE = /^([\w-]{1,64})\/(0|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z)\/(\d{1,15})\/(\d{1,15})$/;

/** The position as text; readers take it for opaque. */
export function formatCursor({ attempt, stamp, lines, total }: Position): string {
  return attempt === "" ? START : `${attempt}/${stamp || "0"}/${lines}/${total}`;
}

/** What `formatCursor` wrote. Faults: `invalid` with path `cursor` for any other text. */
export function parseCursor(runId: string, cursor: string | undefined): Position {
  if (cursor === undefined || cursor === START) return BEGINNING;
  const [, attempt, stamp, lines, total] = SHAPE.exec(cursor) ?? [];
  if (attempt !== undefined && (stamp === "0" || !Number.isNaN(Date.parse(stamp ?? "")))) {
    return { attempt, stamp: stamp === "0" ? "" : stamp ?? "", lines: Number(lines), total: Number(total) };
  }
  const reason = `"${cursor.slice(0, 40)}" is no cursor of this engine; use one that came with the log`;
  throw new Fault("invalid", `Cannot read the log of run ${runId}: ${reason}`, { path: "cursor" });
}
