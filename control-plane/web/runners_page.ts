/** The list of Ingestion Runners. */
import type { RunnerView, RunSummary } from "../mod/views.ts";
import { type Content, html } from "./html.ts";
import type { Page } from "./layout.ts";
import { badge, type Column, empty, instant, runnerLink, table } from "./parts.ts";
import { runsTable } from "./runs_table.ts";

/** Draws the first page. `server`: the address at which the reader came. */
export function runnersPage(
  runners: readonly RunnerView[],
  runs: readonly RunSummary[],
  { now, server }: { now: Date; server: URL },
): Page {
  const active = runners.filter(({ status }) => status === "Active").length;
  return {
    title: "Ingestion Runners",
    trail: [],
    body: html`
      <div data-live="runners">
        <div class="head"><h1>Ingestion Runners</h1>${runners.length > 0 && html`
          <p class="lead">${active} of ${runners.length} active</p>
        `}</div>
        ${runners.length === 0 ? firstSteps(server) : table("Runners", columns(now), runners, (row) => row.agentId)}
      </div>
      ${runners.length > 0 && html`
        <section data-live="runs" aria-labelledby="runs">
          <h2 id="runs">Newest runs</h2>
          ${runsTable(runs, now, "all")}
        </section>
      `}
    `,
  };
}

function columns(now: Date): Column<RunnerView>[] {
  return [
    { title: "Runner", cell: ({ agentId }) => runnerLink(agentId) },
    {
      title: "Status",
      cell: ({ status, reason, agentId }) => [
        badge(status, `Runner ${agentId}`),
        reason !== "" && html`
          <span class="reason">${reason}</span>
        `,
      ],
    },
    { title: "Last heartbeat", cell: ({ lastHeartbeatAt }) => instant(lastHeartbeatAt, now) ?? "never" },
    { title: "Engine", cell: engineOf },
    { title: "Secrets", short: true, cell: ({ secretsProvider }) => secretsProvider ?? "–" },
    { title: "Version", short: true, cell: ({ version }) => version ?? "–" },
    { title: "Live runs", short: true, cell: ({ inFlight }) => inFlight },
  ];
}

/** An engine in a cell. */
function engineOf({ engine }: RunnerView): Content {
  if (engine === undefined) return "–";
  return [
    engine.kind,
    " ",
    html`
      <span class="hint">${engine.version}</span>
    `,
  ];
}

function firstSteps({ protocol, host }: URL): Content {
  return empty(
    "No runner has a token yet.",
    html`
      <ol class="steps">
        <li>
          <p>Issue a token for a runner:</p>
          <pre class="command" tabindex="0"><code>hybrid-control-plane token issue --agent my-runner</code></pre>
        </li>
        <li>
          <p>Start the runner with it, where the databases are:</p>
          <pre
            class="command"
            tabindex="0"
          ><code>AGENT_ID=my-runner AUTH_TOKEN=… SERVER_URL=${protocol === "https:"
            ? "wss"
            : "ws"}://${host} hybrid-runner run</code></pre>
        </li>
        <li><p>It shows up here, Active, within seconds. This page needs no reload.</p></li>
      </ol>
    `,
  );
}
