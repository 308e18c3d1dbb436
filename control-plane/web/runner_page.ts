/** One runner: what it is, how it is, its pipelines and runs. */
import type { PipelineView, RunnerView, RunSummary } from "../mod/views.ts";
import { count, duration } from "./format.ts";
import { type Content, type Html, html } from "./html.ts";
import type { Page } from "./layout.ts";
import { badge, type Column, empty, facts, instant, pipelineLink, table } from "./parts.ts";
import { runsTable } from "./runs_table.ts";

/** A clock that is off by more than this makes stages of a timeline wrong. */
const NOTABLE_SKEW_SECONDS = 2;

/** Draws a runner. */
export function runnerPage(
  runner: RunnerView,
  pipelines: readonly PipelineView[],
  runs: readonly RunSummary[],
  now: Date,
): Page {
  const { agentId, status, reason } = runner;
  return {
    title: agentId,
    trail: [["Ingestion Runners", "/"]],
    watch: { agentId },
    body: html`
      <div data-live="runner">
        <div class="head"><h1>${agentId}</h1>${badge(status, `Runner ${agentId}`)}</div>
        ${reason !== "" && html`
          <p class="lead">${reason}</p>
        `} ${factsOf(runner, now)}
      </div>
      <section data-live="pipelines" aria-labelledby="pipelines">
        <h2 id="pipelines">Pipelines</h2>
        ${pipelines.length === 0
          ? noPipelines()
          : table("Pipelines", pipelineColumns(now), pipelines, (row) => row.pipelineId)}
      </section>
      <section data-live="runs" aria-labelledby="runs">
        <h2 id="runs">Newest runs</h2>
        ${runsTable(runs, now, "runner")}
      </section>
    `,
  };
}

function factsOf(runner: RunnerView, now: Date): Html {
  const { engine, standbys, oldestUnacknowledgedSeconds: oldest, clockSkewSeconds: skew } = runner;
  return facts([
    ["Version", runner.version],
    ["Engine", engine && [engine.kind, " ", engine.version]],
    ["Engine says", engine?.message],
    ["Engine lacks", engine !== undefined && engine.lacks.length > 0 && engine.lacks.join(", ")],
    ["Secrets provider", runner.secretsProvider],
    ["Last heartbeat", instant(runner.lastHeartbeatAt, now) ?? "never"],
    ["Connected", instant(runner.connectedAt, now)],
    ["Disconnected", instant(runner.disconnectedAt, now)],
    ["Live runs", runner.inFlight],
    ["Undelivered statuses", oldest > 0 && `the oldest waits for ${duration(oldest * 1000)}`],
    ["Standbys", standbys > 0 && count(standbys, "instance")],
    ["Clock", clock(skew)],
    ["Token expires", instant(runner.tokenExpiresAt, now)],
    [
      "Instance",
      runner.instanceId && html`
        <code>${runner.instanceId}</code>
      `,
    ],
  ]);
}

function clock(skewSeconds: number): Content {
  const off = Math.abs(skewSeconds);
  if (off < NOTABLE_SKEW_SECONDS) return `agrees with ours (within ${NOTABLE_SKEW_SECONDS} s)`;
  const text = `${duration(off * 1000)} ${skewSeconds > 0 ? "ahead of" : "behind"} ours`;
  return html`
    <strong class="warn">${text}</strong>: timelines mix both clocks; synchronise the node's time
  `;
}

function pipelineColumns(now: Date): Column<PipelineView>[] {
  return [
    { title: "Pipeline", cell: ({ pipelineId, name }) => pipelineLink(pipelineId, name) },
    { title: "Type", short: true, cell: ({ type }) => type },
    { title: "Deployment", short: true, cell: ({ deployment, name }) => badge(deployment, `Pipeline ${name}`) },
    { title: "Schedule", cell: scheduleOf },
    { title: "Next run", cell: ({ enabled, nextRunAt }) => (enabled && instant(nextRunAt, now)) || "–" },
  ];
}

/** A pipeline's schedule in a cell, and whether it is in force. */
export function scheduleOf({ schedule, timezone, enabled }: PipelineView): Content {
  const off = !enabled && [" ", badge("disabled")];
  if (schedule === undefined) return ["none", off];
  return [
    html`
      <code>${schedule}</code>
    `,
    ` ${timezone ?? "UTC"}`,
    off,
  ];
}

function noPipelines(): Html {
  return empty(
    "No pipelines on this runner.",
    html`
      <p>
        Deploy one from the catalogue, or by <code>PUT /api/v1/pipelines/{id}</code>; the runner gets it as soon as it is
        Active.
      </p>
    `,
  );
}
