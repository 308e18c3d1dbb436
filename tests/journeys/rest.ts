/** The control plane's REST, as the journeys use it. */
import * as z from "zod/mini";
import { type LogEvent, PipelineView, RunDetail, RunnerView, RunSummary } from "../../control-plane/mod/views.ts";
import { until } from "../wait.ts";

/** What a journey's job does: see job.sh. */
export interface Work {
  lines?: number;
  /** Seconds after every ten lines. */
  pace?: number;
  /** A file to wait for. */
  gate?: string;
  exit?: number;
  /** A secret reference. */
  password?: string;
}

/** Answers are checked against the control plane's own schemas. */
export interface Rest {
  deploy(pipelineId: string, work: Work, more?: { maxActiveRuns?: 1 | "unlimited" }): Promise<PipelineView>;
  /** Starts a run; answers its runId. */
  run(pipelineId: string): Promise<string>;
  stop(runId: string): Promise<void>;
  detail(runId: string): Promise<RunDetail>;
  runs(): Promise<RunSummary[]>;
  pipeline(pipelineId: string): Promise<PipelineView>;
  runner(agentId: string): Promise<RunnerView>;
  /** Waits until the runner is Active (or Inactive), and its reason matches. */
  runnerIs(agentId: string, status: RunnerView["status"], reason?: RegExp): Promise<RunnerView>;
  deployed(pipelineId: string): Promise<PipelineView>;
  /** Waits for one of the states. */
  runIs(runId: string, ...states: RunDetail["state"][]): Promise<RunDetail>;
  ended(runId: string): Promise<RunDetail>;
  /** Follows a run's log to its end, opening it anew from the last cursor whenever it breaks off. */
  follow(runId: string): FollowedLog;
  /** Any request; the body of a good answer as JSON. */
  call(method: string, path: string, body?: unknown): Promise<unknown>;
}

/** A log as it comes in. */
export interface FollowedLog {
  lines: string[];
  gaps: { from: string; to: string }[];
  /** How often it was opened. */
  opened: number;
  /** Why the log ended. */
  readonly end: Promise<string>;
  close(): void;
}

/** `address` is asked anew for each call, since the control plane may have moved. */
export function createRest(address: () => string, agentId: string): Rest {
  const rest: Rest = {
    async deploy(pipelineId, work, { maxActiveRuns = "unlimited" } = {}) {
      const job = { agentId, name: pipelineId, type: "metadata", enabled: true, maxActiveRuns };
      await call("PUT", `/pipelines/${pipelineId}`, { ...job, document: documentOf(work) });
      return rest.deployed(pipelineId);
    },
    run: async (pipelineId) => RunSummary.parse(await call("POST", `/pipelines/${pipelineId}/runs`, {})).runId,
    stop: async (runId) => void await call("POST", `/runs/${runId}/stop`),
    detail: async (runId) => RunDetail.parse(await call("GET", `/runs/${runId}`)),
    runs: async () => RunPage.parse(await call("GET", "/runs?limit=200")).items,
    pipeline: async (pipelineId) => PipelineView.parse(await call("GET", `/pipelines/${pipelineId}`)),
    runner: async (id) => RunnerView.parse(await call("GET", `/runners/${id}`)),
    runnerIs: (id, status, reason = /(?:)/) =>
      until(`runner ${id} ${status} ${reason}`, async () => {
        const runner = await rest.runner(id);
        return runner.status === status && reason.test(runner.reason) && runner;
      }),
    deployed: (pipelineId) =>
      until(`pipeline ${pipelineId} deployed`, async () => {
        const pipeline = await rest.pipeline(pipelineId);
        return pipeline.deployment === "deployed" && pipeline;
      }),
    runIs: (runId, ...states) =>
      until(`run ${runId} ${states.join(" or ")}`, async () => {
        const run = await rest.detail(runId);
        return states.includes(run.state) && run;
      }),
    ended: (runId) => rest.runIs(runId, "success", "partialSuccess", "failed", "stopped"),
    follow: (runId) => follow(address, runId),
    call,
  };
  return rest;

  async function call(method: string, path: string, body?: unknown): Promise<unknown> {
    const response = await fetch(`${address()}/api/v1${path}`, {
      method,
      headers: { accept: "application/json", ...body === undefined ? {} : { "content-type": "application/json" } },
      ...body === undefined ? {} : { body: JSON.stringify(body) },
      signal: AbortSignal.timeout(20_000),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: HTTP ${response.status} ${text}`);
    return text === "" ? undefined : JSON.parse(text);
  }
}

/** The job's document as flat YAML. */
export function documentOf(work: Work): string {
  return Object.entries(work).map(([name, value]) => `${name}: ${value}\n`).join("") || "lines: 0\n";
}

const RunPage = z.object({ items: z.array(RunSummary) });

function follow(address: () => string, runId: string): FollowedLog {
  const over = new AbortController();
  const log = { lines: [] as string[], gaps: [] as { from: string; to: string }[], opened: 0 };
  let cursor = "";
  const reading = until(`the end of the log of ${runId}`, async () => {
    const query = cursor === "" ? "" : `?cursor=${encodeURIComponent(cursor)}`;
    const response = await fetch(`${address()}/api/v1/runs/${runId}/log/events${query}`, { signal: over.signal });
    if (!response.ok || response.body === null) return void await response.body?.cancel();
    log.opened++;
    for await (const { event, data } of events(response.body)) {
      if (event === "lines") {
        log.lines.push(...data.lines);
        cursor = data.cursor;
      } else if (event === "gap") log.gaps.push(data);
      else if (event === "end") return data.reason;
    }
  }, { patienceMs: 120_000 });
  reading.catch(() => {});
  return Object.assign(log, { end: reading, close: () => over.abort(new Error("closed")) });
}

/** Server-Sent Events (https://html.spec.whatwg.org/#server-sent-events), as far as ours go. */
async function* events(body: ReadableStream<Uint8Array>): AsyncGenerator<LogEvent> {
  let rest = "";
  for await (const text of body.pipeThrough(new TextDecoderStream())) {
    const blocks = (rest + text).split("\n\n");
    rest = blocks.pop() ?? "";
    for (const block of blocks) {
      const field = (name: string) =>
        block.split("\n").filter((line) => line.startsWith(`${name}:`))
          .map((line) => line.slice(name.length + 1).trimStart()).join("\n");
      if (field("data") !== "") yield { event: field("event"), data: JSON.parse(field("data")) } as LogEvent;
    }
  }
}
