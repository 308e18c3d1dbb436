/** One pipeline: its definition as far as it may be shown, its deployment, its runs. */
import type { PipelineView, RunSummary } from "../mod/views.ts";
import { type Content, type Html, html, pathOf } from "./html.ts";
import type { Page } from "./layout.ts";
import { action, badge, facts, instant, runnerLink } from "./parts.ts";
import { scheduleOf } from "./runner_page.ts";
import { runsTable } from "./runs_table.ts";

/** Draws a pipeline. */
export function pipelinePage(pipeline: PipelineView, runs: readonly RunSummary[], now: Date): Page {
  const { pipelineId, agentId, name, deployment, deploymentMessage } = pipeline;
  return {
    title: name || pipelineId,
    trail: [["Ingestion Runners", "/"], [agentId, pathOf`/runners/${agentId}`]],
    watch: { pipelineId },
    body: html`
      <div data-live="pipeline">
        <div class="head">
          <h1>${name || pipelineId}</h1>${badge(deployment, `Pipeline ${name}`)}
          <div class="actions">${deployment !== "deleting" && actionsOf(pipeline)}</div>
        </div>
        ${deploymentMessage && html`
          <p class="lead">${deploymentMessage}</p>
        `} ${factsOf(pipeline, now)}
      </div>
      <section data-live="runs" aria-labelledby="runs">
        <h2 id="runs">Newest runs</h2>
        ${runsTable(runs, now, "pipeline")}
      </section>
    `,
  };
}

function actionsOf({ pipelineId, enabled }: PipelineView): Content {
  return [
    action("Run", { path: pathOf`/api/v1/pipelines/${pipelineId}/runs`, done: "Run asked for.", tone: "primary" }),
    action(enabled ? "Disable schedule" : "Enable schedule", {
      path: pathOf`/api/v1/pipelines/${pipelineId}/toggle`,
      body: JSON.stringify({ enabled: !enabled }),
      done: enabled ? "Disabled." : "Enabled.",
    }),
  ];
}

function factsOf(pipeline: PipelineView, now: Date): Html {
  const { references, enabled } = pipeline;
  return facts([
    ["Runner", runnerLink(pipeline.agentId)],
    ["Type", pipeline.type],
    ["Revision", pipeline.revision],
    ["Schedule", scheduleOf(pipeline)],
    ["Next run", enabled ? instant(pipeline.nextRunAt, now) : "not while disabled"],
    [
      "Pipeline id",
      html`
        <code>${pipeline.pipelineId}</code>
      `,
    ],
    [
      "Secret references",
      references.length === 0 ? "none" : html`
        <ul class="plain">${references.map((name) =>
          html`
            <li><code>${name}</code></li>
          `
        )}</ul>
      `,
    ],
  ]);
}
