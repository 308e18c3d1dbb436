/** One request for an attempt's log, from a position on: what it brought, and how it ended. */
import { Fault, isFault, reasonOf } from "../../../../mod/fault.ts";
import type { LogPiece } from "../../../../mod/ports.ts";
import type { ClusterAccess } from "../../../cluster/port.ts";
import { MAIN } from "../../pod/names.ts";
import { PODS } from "../kinds.ts";
import { bytesOf } from "./body.ts";
import { formatCursor, type Position } from "./cursor.ts";
import { createLineBlocks } from "./lines.ts";
import { createTrack, DISORDER_MS, STAMP_BYTES, type WhenLater } from "./track.ts";

/** What to ask for. */
export interface Pass {
  access: ClusterAccess;
  namespace: string;
  /** Name of the attempt's pod. */
  pod: string;
  /** Goes on while the container runs. */
  follow: boolean;
  from: Position;
  whenLater: WhenLater;
  /** Only for a container that has ended: where the pass before this one ended. */
  settled?: Settled;
  /** Limit of silence, milliseconds. */
  silenceMs: number;
}

/** Where a pass over an ended container's log came to its end. */
export interface Settled {
  cursor: string;
  /** The last line, which has no newline. */
  rest: string;
}

/** How it ended; `at` is behind everything that was given. */
export type PassEnd =
  /** In an orderly way. `agreed`: where the pass before it ended, so nothing is left. `isMissed`: see `Track`. */
  | { kind: "read"; at: Position; rest: string; isMissed: boolean; agreed: boolean }
  /** There is no such log, or not yet. */
  | { kind: "missing"; at: Position; fault: Fault }
  /** The way to it is broken, or it is silent. */
  | { kind: "failed"; at: Position; fault: Fault };

/** The kubelet's words for a file that is not there; they come as the body of an HTTP 200, without timestamp. */
const FILE_GONE = /^(unable to retrieve container logs for |failed to .*no such file or directory)/;
/** Enough to see the end again; only the kubelet's last blocks are read for it. */
const TAIL_LINES = 20;

/** Gives lines and gaps as they come. Rejects only with the signal's reason. */
export async function* readPass(pass: Pass, signal: AbortSignal): AsyncGenerator<LogPiece, PassEnd> {
  const { access, namespace, pod, settled, from, whenLater } = pass;
  const isTail = settled !== undefined && whenLater === "stop" && from.stamp !== "";
  const track = createTrack(from, whenLater);
  const blocks = createLineBlocks(STAMP_BYTES);
  const { at } = track;
  const target = { ...PODS, namespace, name: pod, subresource: "log" };
  const query = queryOf(pass, isTail);
  try {
    for await (const bytes of bytesOf((own) => access.open("get", target, query, own), pass.silenceMs, signal)) {
      for (const block of blocks.take(bytes)) yield* piecesOf(track.take(block), at);
      if (track.isMissed && whenLater === "stop") break;
    }
  } catch (error) {
    signal.throwIfAborted();
    if (!isFault(error)) return { kind: "failed", at, fault: unread(pod, `the connection broke (${reasonOf(error)})`) };
    // HTTP 400: "waiting to start", and other words for a container that has no log; 204: the pod has no node yet.
    const isMissing = isFault(error, "not_found") || isFault(error, "invalid");
    return { kind: isMissing ? "missing" : "failed", at, fault: error };
  }
  const rest = track.isMissed ? "" : blocks.rest();
  if (rest !== "" && !STAMPED.test(rest)) {
    const fault = unread(pod, `the kubelet says: ${rest.replace(/\s+/g, " ").slice(0, 300)}`);
    return { kind: FILE_GONE.test(rest) ? "missing" : "failed", at, fault };
  }
  const isSame = settled !== undefined && formatCursor(at) === settled.cursor && rest === settled.rest;
  const agreed = isSame && !track.isMissed;
  // Only now is it no line that was cut in two on its way.
  if (agreed && rest !== "") yield* piecesOf(track.take(rest), at);
  return { kind: "read", at, rest, isMissed: track.isMissed, agreed };
}

/** Begins like a line, so it isn't the kubelet's own word. */
const STAMPED = /^\d{4}-\d\d-\d\dT[\d:.]{18}/;

function queryOf({ follow, from }: Pass, isTail: boolean): Record<string, string | number | boolean> {
  const query = { container: MAIN, timestamps: true, ...follow ? { follow } : {} };
  if (isTail) return { ...query, tailLines: TAIL_LINES + from.lines };
  if (from.stamp === "") return query;
  // The API takes whole seconds only.
  const since = new Date(Date.parse(from.stamp) - DISORDER_MS).toISOString().slice(0, 19);
  return { ...query, sinceTime: `${since}Z` };
}

function* piecesOf(
  { lines, gap }: { lines: string[]; gap?: { from: string; to: string } },
  at: Position,
): Generator<LogPiece> {
  if (gap) yield { kind: "gap", ...gap };
  if (lines.length > 0) yield { kind: "lines", lines, cursor: formatCursor(at) };
}

function unread(pod: string, reason: string): Fault {
  return new Fault("unavailable", `Cannot read the log of pod ${pod}: ${reason}`);
}
