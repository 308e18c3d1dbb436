/** A run's timeline as a picture, and the same as a table. */
import type { RunDetail } from "../mod/views.ts";
import { count, duration, utc } from "./format.ts";
import { type Content, type Html, html } from "./html.ts";
import { badge, type Column, table, toneOf, wordOf } from "./parts.ts";
import { layOut, type Mark, type Stage, type Timeline } from "./timeline.ts";

const ROW = 46;
const BAR = { top: 24, height: 14 };

/** Draws where a run's time went, as it stands `now`. */
export function timelinePicture(run: RunDetail, now: Date): Html {
  const timeline = layOut(run, now.getTime());
  const { stages, notes, totalMs } = timeline;
  const going = stages.at(-1)?.to === undefined && stages.length > 0;
  return html`
    <p class="total">
      <strong>${duration(totalMs)}</strong> ${going ? "so far" : "in all"}, in ${count(
        stages.length,
        "stage",
      )}. Bars show each stage's share; very short ones are drawn
      wider, so that they can be seen.
    </p>
    ${stages.length > 0 && picture(run, timeline)} ${marks(timeline.marks)} ${notes.map((note) =>
      html`
        <p class="note">${note}</p>
      `
    )} ${stages.length > 0 && table("Stages of the run", columns(timeline, totalMs), stages)}
  `;
}

function picture(run: RunDetail, { stages, marks, origin, totalMs }: Timeline): Html {
  // Percentages and no viewBox: the bars stretch with the page, while the text keeps its size.
  return html`
    <svg
      class="timeline"
      role="img"
      aria-labelledby="timeline-title"
      aria-describedby="timeline-desc"
      width="100%"
      height="${stages
        .length * ROW}"
    >
      <title id="timeline-title">Timeline of the run: ${duration(totalMs)}, ${wordOf(run.state)}</title>
      <desc id="timeline-desc">${stages.map((stage) =>
        `${stage.label}: ${duration(stage.durationMs)}, ${span(stage, origin)}. `
      )}</desc>
      ${stages.map((stage, index) => bar(run, stage, index, index === stages.length - 1))} ${marks.map((mark, index) =>
        markAt(mark, index)
      )}
    </svg>
  `;
}

function bar(run: RunDetail, stage: Stage, index: number, last: boolean): Html {
  const y = index * ROW;
  const state = last ? run.state : stage.from === "started" ? "running" : "queued";
  const word = last ? ` · ${wordOf(state)}` : "";
  const going = stage.to === undefined ? "going" : "";
  return html`
    <g class="stage">
      <text x="0" y="${y + 16}" class="label">${stage.label}<tspan class="word">${word}</tspan></text>
      <text x="100%" y="${y + 16}" text-anchor="end" class="time">${duration(stage.durationMs)}</text>
      <rect x="0" y="${y + BAR.top}" width="100%" height="${BAR.height}" rx="3" class="track" />
      <rect
        x="${percent(stage.left)}"
        y="${y + BAR.top}"
        width="${percent(stage.width)}"
        height="${BAR.height}"
        rx="3"
        class="bar ${toneOf(state)} ${going}"
      >
        <title>${stage.label}: ${duration(stage.durationMs)}</title>
      </rect>
    </g>
  `;
}

function markAt({ left, stage, text }: Mark, index: number): Html {
  // Kept off the edges, where half of the sign would be cut away.
  const x = percent(Math.min(98.5, Math.max(1.5, left)));
  const y = stage * ROW + BAR.top + BAR.height / 2;
  return html`
    <g class="mark">
      <title>${text}</title>
      <circle cx="${x}" cy="${y}" r="8" />
      <text x="${x}" y="${y + 4}" text-anchor="middle">${index + 1}</text>
    </g>
  `;
}

/** What was told on the way, with the numbers that the picture shows. */
function marks(marks: readonly Mark[]): Content {
  if (marks.length === 0) return undefined;
  return html`
    <ol class="marks" aria-label="What was told on the way">${marks.map(({ state, text, recordedAt }) =>
      html`
        <li>
          ${badge(state)} <span data-say="${text}">${text}</span> <time datetime="${recordedAt}" class="age"
          >${utc(recordedAt)}</time>
        </li>
      `
    )}</ol>
  `;
}

function columns({ origin }: Timeline, totalMs: number): Column<Stage>[] {
  return [
    {
      title: "Stage",
      cell: (stage) => [
        stage.label,
        stage.notes.map((note) =>
          html`
            <span class="note">${note}</span>
          `
        ),
      ],
    },
    { title: "Between", short: true, cell: (stage) => span(stage, origin) },
    { title: "Began", cell: ({ fromMs }) => moment(fromMs) },
    { title: "Ended", cell: ({ to, toMs }) => to === undefined ? "goes on" : moment(toMs) },
    { title: "Duration", short: true, cell: ({ durationMs }) => duration(durationMs) },
    { title: "Share", short: true, cell: ({ durationMs }) => shareOf(durationMs, totalMs) },
  ];
}

/** With milliseconds: it is what the stages are made of. */
function moment(milliseconds: number): Html {
  const iso = new Date(milliseconds).toISOString();
  return html`
    <time datetime="${iso}">${iso.slice(0, 23).replace("T", " ")} UTC</time>
  `;
}

function span({ from, to }: Stage, origin: Timeline["origin"]): string {
  return `${from === "asked" ? origin : from} → ${to ?? "now"}`;
}

function percent(number: number): string {
  return `${number.toFixed(2)}%`;
}

function shareOf(durationMs: number, totalMs: number): string {
  if (durationMs === 0) return "–";
  const share = 100 * durationMs / totalMs;
  return share < 1 ? "< 1 %" : `${Math.round(share)} %`;
}
