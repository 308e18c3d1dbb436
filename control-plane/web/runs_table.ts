/** Runs in a list. */
import type { RunSummary } from "../mod/views.ts";
import { duration } from "./format.ts";
import { type Content, type Html, html, pathOf } from "./html.ts";
import { badge, type Column, empty, instant, pipelineLink, runnerLink, table } from "./parts.ts";

/** A table of runs, newest first. `about` leaves out the column that would say the same in every row. */
export function runsTable(runs: readonly RunSummary[], now: Date, about: "all" | "runner" | "pipeline"): Html {
  if (runs.length === 0) {
    return empty(
      "No runs yet.",
      html`
        <p>Open a pipeline and press Run, or give it a schedule.</p>
      `,
    );
  }
  return table(
    "Runs",
    columns(now).filter(({ title }) => !LEFT_OUT[about].includes(title)),
    runs,
    ({ runId }) => runId,
  );
}

const LEFT_OUT: Readonly<Record<"all" | "runner" | "pipeline", readonly string[]>> = {
  all: [],
  runner: ["Runner"],
  pipeline: ["Runner", "Pipeline"],
};

function columns(now: Date): Column<RunSummary>[] {
  return [
    {
      title: "Run",
      short: true,
      cell: ({ runId }) =>
        html`
          <a href="${pathOf`/runs/${runId}`}" title="${runId}">${runId.slice(0, 8)}</a>
        `,
    },
    { title: "Pipeline", cell: ({ pipelineId, pipelineName }) => pipelineLink(pipelineId, pipelineName) },
    { title: "Runner", cell: ({ agentId }) => runnerLink(agentId) },
    { title: "State", cell: stateOf },
    { title: "By", short: true, cell: ({ origin, kind }) => [ORIGINS[origin], kind !== "pipeline" && ` (${kind})`] },
    {
      title: "When",
      cell: ({ requestedAt, scheduledAt, times }) => instant(requestedAt ?? scheduledAt ?? times.received, now) ?? "–",
    },
    { title: "Took", short: true, cell: (run) => took(run, now) },
  ];
}

/** How a run came about, in a word. */
export const ORIGINS: Readonly<Record<RunSummary["origin"], string>> = { command: "command", schedule: "schedule" };

function stateOf(run: RunSummary): Content {
  const reason = run.state === "success" ? undefined : run.reason;
  return [
    badge(run.state, `${run.pipelineName || run.pipelineId}, run ${run.runId.slice(0, 8)}`),
    run.stopRequested && !run.terminal && html`
      <span class="hint">stop asked for</span>
    `,
    reason !== undefined && html`
      <span class="reason clamp" title="${reason.message}">${reason.message}</span>
    `,
  ];
}

function took({ requestedAt, scheduledAt, times, terminal }: RunSummary, now: Date): string {
  const from = Date.parse(requestedAt ?? scheduledAt ?? times.received ?? "");
  const to = terminal ? Date.parse(times.finished ?? "") : now.getTime();
  return Number.isNaN(to - from) ? "–" : duration(Math.max(0, to - from));
}
