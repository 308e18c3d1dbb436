/**
 * Follows the kubelet's timestamped lines: finds the place where reading stopped, gives what is new, and knows at any
 * time where it stands.
 */
import { formatCursor, type Position } from "./cursor.ts";

/** One reading of one attempt's log. */
export interface Track {
  /** Takes text of whole lines; gives the new ones without timestamp, and what is missing before them. */
  take(text: string): { lines: string[]; gap?: { from: string; to: string } };
  /** Where the reader stands now. */
  readonly at: Position;
  /** The place was not met though later lines were: nothing was given. */
  readonly isMissed: boolean;
}

/**
 * When lines come that are later than the place, and it has not been met. `stop`: it may be out of sight, as in a tail.
 * `search`: it may still come, where the node's clock was set back; read on. `gap`: a search has not found it, so it
 * was rotated away, and all that is there is new.
 */
export type WhenLater = "stop" | "search" | "gap";

/**
 * How far back a line's timestamp may lie behind one before it: stdout and stderr are stamped before they are written
 * one after the other, so neighbours may be out of order. Resuming asks for this much more than it needs.
 */
export const DISORDER_MS = 2000;
/** Bytes of a timestamp and its space (five more where the node keeps local time: there a line is cut so much earlier). */
export const STAMP_BYTES = 31;

const STAMP = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}(?:Z|[+-]\d\d:\d\d) /y;
const UTC_LENGTH = "2026-01-01T00:00:00.000000000Z".length;

/** From `from` on. */
export function createTrack(from: Position, whenLater: WhenLater): Track {
  const at = { ...from };
  const utc = createUtc();
  let isFound = from.stamp === "";
  let skip = from.lines;
  let isLater = false;
  return {
    at,
    get isMissed() {
      return isLater && !isFound;
    },
    take(text) {
      const lines: string[] = [];
      let gap: { from: string; to: string } | undefined;
      for (let begin = 0, next = 0; begin <= text.length; begin = next) {
        let end = text.indexOf("\n", begin);
        if (end < 0) end = text.length;
        next = end + 1;
        STAMP.lastIndex = begin;
        // Without one: the rest of a line whose beginning was too old to be sent.
        const isStamped = STAMP.test(text);
        const content = isStamped ? STAMP.lastIndex : begin;
        const stamp = isStamped ? utc(text.slice(begin, content - 1)) : at.stamp;
        if (!isFound && isStamped) {
          isFound = stamp === at.stamp;
          isLater ||= stamp > at.stamp;
          if (!isFound && whenLater === "gap") {
            const resume = { ...at, stamp, lines: 0 };
            gap = { from: formatCursor(at), to: formatCursor(resume) };
            Object.assign(at, resume);
            skip = 0;
            isFound = true;
          }
        }
        if (!isFound) {
          if (isLater && whenLater === "stop") break;
          continue;
        }
        if (skip > 0) {
          skip--;
          continue;
        }
        if (end > content && text.charCodeAt(end - 1) === CARRIAGE_RETURN) end--;
        lines.push(text.slice(content, end));
        at.total++;
        // The anchor is the first line that carries the latest timestamp so far: the only one that can't be mistaken.
        if (stamp > at.stamp || isSetBack(stamp, at.stamp)) {
          at.stamp = stamp;
          at.lines = 1;
        } else at.lines++;
      }
      return gap ? { lines, gap } : { lines };
    },
  };
}

const CARRIAGE_RETURN = 13;

/** The node's clock was set back: resuming by the old anchor would not even be sent these lines. */
function isSetBack(stamp: string, anchor: string): boolean {
  return stamp < anchor && Date.parse(anchor) - Date.parse(stamp) > DISORDER_MS;
}

/** Timestamps in UTC, so that they compare as texts; the lines of one second are converted once. */
function createUtc(): (stamp: string) => string {
  let local = "", converted = "";
  return (stamp) => {
    if (stamp.length === UTC_LENGTH) return stamp;
    const second = stamp.slice(0, 19) + stamp.slice(29);
    if (second !== local) {
      const time = Date.parse(second);
      // What only looks like a time is the job's own text behind a long line.
      if (Number.isNaN(time)) return stamp.slice(0, 29) + "Z";
      local = second;
      converted = new Date(time).toISOString().slice(0, 19);
    }
    return `${converted}${stamp.slice(19, 29)}Z`;
  };
}
