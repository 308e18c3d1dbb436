/** The small pieces that several pages share. */
import type { PipelineView, RunnerView, RunSummary } from "../mod/views.ts";
import { ageOf, utc } from "./format.ts";
import { type Content, type Html, html, pathOf } from "./html.ts";

/** A column of a table: its title, and the cell of each row. */
export interface Column<Row> {
  title: string;
  /** Its cells are short and stay on one line. */
  short?: boolean;
  cell(row: Row): Content;
}

/**
 * A table whose first column heads its rows. On a narrow screen the rows become cards, each cell with its title, which
 * takes away the element's own semantics: the explicit roles keep them. `keyOf` tells a row from its neighbours, so
 * that one which comes in between does not take over the focus of another.
 */
export function table<Row>(
  label: string,
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  keyOf: (row: Row) => string | undefined = () => undefined,
): Html {
  const cell = ({ title, short, cell }: Column<Row>, row: Row, index: number) =>
    index === 0
      ? html`
        <th scope="row" role="rowheader" class="${short && "short"}">${cell(row)}</th>
      `
      : html`
        <td role="cell" data-title="${title}" class="${short && "short"}"><div>${cell(row)}</div></td>
      `;
  return html`
    <table role="table" aria-label="${label}">
      <thead role="rowgroup"><tr role="row">${columns.map(({ title }) =>
        html`
          <th scope="col" role="columnheader">${title}</th>
        `
      )}</tr></thead>
      <tbody role="rowgroup">${rows.map((row) =>
        html`
          <tr role="row" data-key="${keyOf(row)}">${columns.map((column, index) => cell(column, row, index))}</tr>
        `
      )}</tbody>
    </table>
  `;
}

/** A list of facts; those without a value are left out. */
export function facts(pairs: readonly (readonly [name: string, value: Content])[]): Html {
  const known = pairs.filter(([, value]) => value !== undefined && value !== false && value !== "");
  return html`
    <dl class="facts">${known.map(([name, value]) =>
      html`
        <div>
          <dt>${name}</dt>
          <dd>${value}</dd>
        </div>
      `
    )}</dl>
  `;
}

/** A time in UTC with its age beside it, which the script keeps fresh. */
export function instant(at: string | undefined, now: Date): Html | undefined {
  if (at === undefined) return undefined;
  const age = ageOf(Date.parse(at), now.getTime());
  return html`
    <time datetime="${at}">${utc(at)}</time> <span class="age" data-age-of="${at}">${age}</span>
  `;
}

/** A state as a word with a sign before it; never by colour alone. `say` is what a screen reader hears of a change. */
export function badge(state: State, say?: string): Html {
  const { word, sign, tone } = STATES[state];
  return html`
    <span class="badge ${tone}" ${say !== undefined && html`
      data-say="${say}: ${word}"
    `}><span class="sign" aria-hidden="true">${sign}</span>${word}</span>
  `;
}

/** Every state that has a badge: of runs, runners, pipelines. */
export type State =
  | RunSummary["state"]
  | RunnerView["status"]
  | PipelineView["deployment"]
  | "enabled"
  | "disabled";

/** The tone of a state's colours, as the style sheet names them. */
export function toneOf(state: State): string {
  return STATES[state].tone;
}

/** The word for a state. */
export function wordOf(state: State): string {
  return STATES[state].word;
}

const STATES: Readonly<Record<State, { word: string; sign: string; tone: string }>> = {
  Active: { word: "Active", sign: "●", tone: "good" },
  Inactive: { word: "Inactive", sign: "○", tone: "bad" },
  commanded: { word: "Asked", sign: "…", tone: "idle" },
  queued: { word: "Queued", sign: "◔", tone: "idle" },
  running: { word: "Running", sign: "▶", tone: "busy" },
  success: { word: "Success", sign: "✓", tone: "good" },
  partialSuccess: { word: "Partial success", sign: "◐", tone: "warn" },
  failed: { word: "Failed", sign: "✕", tone: "bad" },
  stopped: { word: "Stopped", sign: "■", tone: "idle" },
  deployed: { word: "Deployed", sign: "✓", tone: "good" },
  pending: { word: "Pending", sign: "…", tone: "warn" },
  deleting: { word: "Deleting", sign: "…", tone: "idle" },
  enabled: { word: "Enabled", sign: "✓", tone: "good" },
  disabled: { word: "Disabled", sign: "–", tone: "idle" },
};

/** A button whose press is one POST, made by the script; without the script it is not shown. */
export function action(
  text: string,
  { path, body, done, tone = "" }: { path: string; body?: string; done: string; tone?: "" | "primary" | "danger" },
): Html {
  return html`
    <button
      type="button"
      class="needs-script ${tone}"
      data-post="${path}"
      data-body="${body ?? ""}"
      data-done="${done}"
    >
      ${text}
    </button>
  `;
}

/** Says that there is nothing yet, and what to do about it. */
export function empty(title: string, next: Content): Html {
  return html`
    <div class="empty"><p><strong>${title}</strong></p>${next}</div>
  `;
}

/** A link to a runner's page. */
export function runnerLink(agentId: string): Html {
  return html`
    <a href="${pathOf`/runners/${agentId}`}">${agentId}</a>
  `;
}

/** A link to a pipeline's page. */
export function pipelineLink(pipelineId: string, name: string): Html {
  return html`
    <a href="${pathOf`/pipelines/${pipelineId}`}">${name || pipelineId}</a>
  `;
}
