/** The few calls of the control plane's REST that the demo makes. */
import * as z from "zod/mini";
import { PipelineView, RunDetail, RunnerView } from "../../control-plane/mod/views.ts";

const Problem = z.object({ detail: z.string() });
const RunStarted = z.object({ runId: z.string() });
const Lines = z.object({ lines: z.array(z.string()) });

/** The control plane as the demo uses it. */
export interface Rest {
  runner(agentId: string): Promise<RunnerView>;
  deploy(pipelineId: string, pipeline: unknown): Promise<void>;
  pipeline(pipelineId: string): Promise<PipelineView>;
  run(pipelineId: string): Promise<string>;
  runDetail(runId: string): Promise<RunDetail>;
  /** The log's lines as they come; ends with the run. */
  log(runId: string): AsyncGenerator<string>;
}

export function createRest(address: string, signal: AbortSignal): Rest {
  const base = `${address}/api/v1`;
  const headers = { "content-type": "application/json", origin: address };

  async function call(method: string, path: string, body?: unknown): Promise<unknown> {
    const response = await fetch(`${base}${path}`, {
      method,
      headers,
      signal,
      ...body === undefined ? {} : { body: JSON.stringify(body) },
    });
    const text = await response.text();
    if (response.ok) return text === "" ? {} : JSON.parse(text);
    const problem = Problem.safeParse(JSON.parse(text || "{}"));
    throw new Error(problem.success ? problem.data.detail : `${method} ${path}: HTTP ${response.status}`);
  }

  return {
    runner: async (agentId) => RunnerView.parse(await call("GET", `/runners/${encodeURIComponent(agentId)}`)),
    deploy: async (pipelineId, pipeline) => void await call("PUT", `/pipelines/${pipelineId}`, pipeline),
    pipeline: async (pipelineId) => PipelineView.parse(await call("GET", `/pipelines/${pipelineId}`)),
    run: async (pipelineId) => RunStarted.parse(await call("POST", `/pipelines/${pipelineId}/runs`, {})).runId,
    runDetail: async (runId) => RunDetail.parse(await call("GET", `/runs/${runId}`)),
    async *log(runId) {
      const response = await fetch(`${base}/runs/${runId}/log/events`, { signal });
      if (!response.ok || response.body === null) throw new Error(`The log of ${runId}: HTTP ${response.status}`);
      for await (const { event, data } of serverSentEvents(response.body)) {
        if (event === "lines") yield* Lines.parse(JSON.parse(data)).lines;
        if (event === "end") return;
      }
    },
  };
}

/** Server-Sent Events (WHATWG HTML, 9.2): what this server sends has one data line an event. */
async function* serverSentEvents(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
): AsyncGenerator<{ event: string; data: string }> {
  let held = "";
  for await (const part of body.pipeThrough(new TextDecoderStream())) {
    const blocks = (held + part).split("\n\n");
    held = blocks.pop() ?? "";
    for (const block of blocks) {
      const field = (name: string) => block.match(new RegExp(`^${name}: ?(.*)$`, "m"))?.[1] ?? "";
      yield { event: field("event"), data: field("data") };
    }
  }
}
