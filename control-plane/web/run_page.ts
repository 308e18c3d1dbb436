/** One run: where its time went, why it ended as it did, and its log while it is written. */
import type { Diagnostics } from "../../mod/run.ts";
import type { RunDetail, TimelineEntry } from "../mod/views.ts";
import { type Content, type Html, html, pathOf } from "./html.ts";
import type { Page } from "./layout.ts";
import { action, badge, type Column, facts, instant, pipelineLink, runnerLink, table } from "./parts.ts";
import { ORIGINS } from "./runs_table.ts";
import { timelinePicture } from "./timeline_picture.ts";

/** Draws a run. */
export function runPage(run: RunDetail, now: Date): Page {
  const { runId, pipelineId, pipelineName, agentId, terminal } = run;
  const name = pipelineName || pipelineId;
  return {
    title: `Run ${runId.slice(0, 8)} of ${name}`,
    trail: [
      ["Ingestion Runners", "/"],
      [agentId, pathOf`/runners/${agentId}`],
      [name, pathOf`/pipelines/${pipelineId}`],
    ],
    watch: { runId },
    // The running stage grows without any event.
    refreshSeconds: terminal ? undefined : 2,
    body: html`
      <div data-live="run">
        <div class="head">
          <h1>Run <code>${runId.slice(0, 8)}</code></h1>${badge(run.state, "This run")}
          <div class="actions">${!terminal && stop(run)}</div>
        </div>
        ${reasonOf(run)} ${factsOf(run, now)}
      </div>
      <section data-live="timeline" aria-labelledby="timeline">
        <h2 id="timeline">Timeline</h2>
        ${timelinePicture(run, now)}
      </section>
      <section data-live="diagnostics" aria-label="Diagnostics">${diagnosticsOf(run.diagnostics)}</section>
      ${logSection(runId)}
      <section data-live="told" aria-label="Statuses">
        <details id="told">
          <summary>Statuses as they were told (${run.timeline.length})</summary>
          ${table("Statuses as they were told", toldColumns(now), run.timeline)}
        </details>
      </section>
    `,
  };
}

function stop({ runId, stopRequested }: RunDetail): Content {
  if (stopRequested) {
    return html`
      <span class="hint" data-say="Stop asked for">Stop asked for; waiting for the runner</span>
    `;
  }
  return action("Stop", { path: pathOf`/api/v1/runs/${runId}/stop`, done: "Stop asked for.", tone: "danger" });
}

function reasonOf({ state, reason }: RunDetail): Content {
  if (reason === undefined) {
    return state === "commanded" &&
      html`
        <p class="lead">The runner was asked; nothing was heard of this run yet.</p>
      `;
  }
  return html`
    <p class="lead">${reason.message} <code class="hint">${reason.code}</code></p>
  `;
}

function factsOf(run: RunDetail, now: Date): Html {
  return facts([
    ["Pipeline", pipelineLink(run.pipelineId, run.pipelineName)],
    ["Runner", runnerLink(run.agentId)],
    ["By", [ORIGINS[run.origin], run.kind !== "pipeline" && ` (${run.kind})`]],
    ["Due", instant(run.scheduledAt, now)],
    ["Asked for", instant(run.requestedAt, now)],
    ["Finished", instant(run.times.finished, now)],
    ["Pipeline revision", run.revision],
    [
      "Run id",
      html`
        <code>${run.runId}</code>
      `,
    ],
  ]);
}

function diagnosticsOf(diagnostics: Diagnostics | undefined): Content {
  if (diagnostics === undefined) return undefined;
  const { exitCode, signal, facts: more = {}, lastLines = [] } = diagnostics;
  return html`
    <h2>Diagnostics</h2>
    ${facts([
      ["Exit code", exitCode],
      ["Signal", signal],
      ...Object.entries(more).map(([name, text]) =>
        [
          name,
          html`
            <span class="text">${text}</span>
          `,
        ] as const
      ),
    ])} ${lastLines.length > 0 && html`
      <h3 id="last-lines">Last lines</h3>
      <pre class="lines" tabindex="0" role="region" aria-labelledby="last-lines">${lastLines.join("\n")}</pre>
    `}
  `;
}

/** The script fills it; it lies outside of what is fetched anew. */
function logSection(runId: string): Html {
  return html`
    <section aria-labelledby="log-title" class="log-section">
      <div class="head">
        <h2 id="log-title">Log</h2>
        <p id="log-state" class="hint needs-script" role="status">Opening…</p>
        <div class="actions">
          <button type="button" id="log-again" hidden>Read again</button>
          <button type="button" id="log-end" hidden>Follow the end</button>
          <a href="${pathOf`/api/v1/runs/${runId}/log`}">Plain text</a>
        </div>
      </div>
      <div
        id="log"
        class="lines needs-script"
        data-run-id="${runId}"
        tabindex="0"
        role="log"
        aria-live="off"
        aria-labelledby="log-title"
      >
      </div>
    </section>
  `;
}

function toldColumns(now: Date): Column<TimelineEntry>[] {
  return [
    { title: "State", short: true, cell: ({ state }) => badge(state) },
    { title: "Note", short: true, cell: ({ note }) => note },
    { title: "Recorded", cell: ({ recordedAt }) => instant(recordedAt, now) },
    {
      title: "Reason",
      cell: ({ reason }) =>
        reason && [
          reason.message,
          html`
            <code class="hint">${reason.code}</code>
          `,
        ],
    },
  ];
}
