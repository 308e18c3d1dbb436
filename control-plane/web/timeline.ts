/** Where a run's time went: its stages with their durations, and their places in a picture. Pure. */
import type { RunDetail, TimelineEntry } from "../mod/views.ts";

/** The points of a run's life, in order; a stage lies between two of them. */
export const POINTS = ["asked", "received", "accepted", "created", "started", "finished"] as const;
export type Point = (typeof POINTS)[number];

/** The least width of a stage, in percent: what can still be seen and pointed at on a narrow screen. */
export const LEAST_WIDTH = 2.5;

/** One bar of the picture. Places and widths are percent of the picture's width. */
export interface Stage {
  label: string;
  from: Point;
  /** Absent while the stage goes on. */
  to?: Point;
  fromMs: number;
  toMs: number;
  /** Never negative: a stage that ends before it begins lasts 0, with a note. */
  durationMs: number;
  left: number;
  width: number;
  notes: string[];
}

/** Something that was told while the run waited or ran: a reason, and where it lies in the picture. */
export interface Mark {
  text: string;
  state: TimelineEntry["state"];
  recordedAt: string;
  /** Index of its stage. */
  stage: number;
  left: number;
}

/** A run's stages with what was told on the way. */
export interface Timeline {
  /** How the first point came about: asked for here, or due by the schedule. */
  origin: "asked" | "due";
  stages: Stage[];
  /** The sum of all stages. */
  totalMs: number;
  marks: Mark[];
  /** What the picture cannot show. */
  notes: string[];
}

/** Lays out a run's stages as they stand at `nowMs`; the last stage of a run that has not ended reaches until then. */
export function layOut(run: RunDetail, nowMs: number): Timeline {
  const { origin, known } = knownPoints(run);
  const notes: string[] = [];
  const stages = known.slice(1).map(({ point, at }, index) => stageBetween(known[index]!, point, at));
  const last = known.at(-1);
  if (last !== undefined && last.point !== "finished") {
    if (run.terminal) notes.push("When the run ended was not told.");
    else stages.push(stageBetween(last, undefined, Math.max(nowMs, last.at)));
  }
  if (last === undefined) notes.push("No time of this run is known yet.");
  place(stages);
  const totalMs = stages.reduce((sum, stage) => sum + stage.durationMs, 0);
  return { origin, stages, totalMs, marks: marksOf(run.timeline, stages), notes };
}

interface Known {
  point: Point;
  at: number;
}

function knownPoints(run: RunDetail): { origin: "asked" | "due"; known: Known[] } {
  const due = run.requestedAt === undefined && run.origin === "schedule";
  const times: Record<Point, string | undefined> = {
    asked: due ? run.scheduledAt : run.requestedAt,
    received: run.times.received,
    accepted: run.times.accepted,
    created: run.times.created,
    started: run.times.started,
    finished: run.times.finished,
  };
  const known = POINTS.map((point) => ({ point, at: Date.parse(times[point] ?? "") }))
    .filter(({ at }) => !Number.isNaN(at));
  return { origin: due ? "due" : "asked", known };
}

/** What happens from each point to the one after it. */
const LABELS: Readonly<Record<Point, string>> = {
  asked: "Reaching the runner",
  received: "Taken by the engine",
  accepted: "Creating the run",
  created: "Waiting to start",
  started: "Job",
  finished: "",
};

function stageBetween(from: Known, to: Point | undefined, toMs: number): Stage {
  const next = POINTS.indexOf(from.point) + 1;
  const skipped = to === undefined ? [] : POINTS.slice(next, POINTS.indexOf(to));
  const notes = skipped.length === 0 ? [] : [`No time was told for: ${skipped.join(", ")}.`];
  const early = (from.at - toMs) / 1000;
  // "asked" is this server's clock, the others are the runner's and the cluster's.
  if (early > 0) notes.push(`The clocks differ: "${to}" is told as ${early.toFixed(1)} s before "${from.point}".`);
  return {
    label: skipped.length === 0 ? LABELS[from.point] : `${capital(from.point)} to ${to}`,
    from: from.point,
    ...(to === undefined ? {} : { to }),
    fromMs: from.at,
    toMs,
    durationMs: Math.max(0, toMs - from.at),
    left: 0,
    width: 0,
    notes,
  };
}

/** Each stage gets the least width, and its share of what remains: a long one stays longer, a short one can be seen. */
function place(stages: Stage[]): void {
  const totalMs = stages.reduce((sum, stage) => sum + stage.durationMs, 0);
  const shared = 100 - LEAST_WIDTH * stages.length;
  let left = 0;
  for (const stage of stages) {
    stage.left = left;
    stage.width = LEAST_WIDTH + shared * (totalMs === 0 ? 1 / stages.length : stage.durationMs / totalMs);
    left += stage.width;
  }
}

function marksOf(entries: readonly TimelineEntry[], stages: readonly Stage[]): Mark[] {
  const marks: Mark[] = [];
  for (const { state, recordedAt, reason } of entries) {
    const at = Date.parse(recordedAt);
    // A terminal reason is told beside the picture; a repeated one says nothing new.
    const told = state !== "queued" && state !== "running" || reason === undefined;
    if (told || Number.isNaN(at) || stages.length === 0 || marks.at(-1)?.text === reason.message) continue;
    const index = Math.max(0, stages.findLastIndex(({ fromMs }) => fromMs <= at));
    const { fromMs, durationMs, left, width } = stages[index]!;
    const share = durationMs === 0 ? 0 : Math.min(1, Math.max(0, (at - fromMs) / durationMs));
    marks.push({ text: reason.message, state, recordedAt, stage: index, left: left + width * share });
  }
  return marks;
}

function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}
