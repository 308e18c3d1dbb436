/** The control plane's REST as journeys on a cluster use it: patient, and gentle on a small machine. */
import * as z from "zod/mini";
import { PipelineView, type RunDetail, RunSummary } from "../../../control-plane/mod/views.ts";
import { createRest, type Rest } from "../../journeys/rest.ts";
import { until } from "../../wait.ts";
import { documentOf, type Work } from "./job.ts";

/** What of a job is said beside its document. */
export interface More {
  type?: string;
  schedule?: string;
  maxActiveRuns?: 1 | "unlimited";
  deadlineSeconds?: number;
  retries?: number;
  enabled?: boolean;
}

/** The verbs of a journey. */
export interface ClusterRest extends Pick<Rest, "run" | "stop" | "detail" | "runs" | "pipeline" | "runnerIs" | "call"> {
  /** Puts a pipeline; `settled: false` does not wait for the runner to have it. */
  put(pipelineId: string, work: Work, more?: More, options?: { settled?: boolean }): Promise<PipelineView>;
  deployed(pipelineId: string): Promise<PipelineView>;
  toggle(pipelineId: string, enabled: boolean): Promise<void>;
  /** Asks for the deletion; `gone` waits for its end. */
  remove(pipelineId: string): Promise<void>;
  gone(pipelineId: string): Promise<void>;
  /** A run with a document of its own; answers its runId. */
  automation(pipelineId: string, work: Work, more?: Pick<More, "deadlineSeconds" | "type">): Promise<string>;
  runIs(runId: string, ...states: RunDetail["state"][]): Promise<RunDetail>;
  ended(runId: string): Promise<RunDetail>;
  /** The runs of a pipeline. */
  runsOf(pipelineId: string): Promise<RunSummary[]>;
}

const PATIENT = { patienceMs: 150_000, lookMs: 200 };
const RunPage = z.object({ items: z.array(RunSummary) });

/** As `createRest`, of which it is made. */
export function createClusterRest(address: () => string, agentId: string): ClusterRest {
  const rest = createRest(address, agentId);
  const runIs: ClusterRest["runIs"] = (runId, ...states) =>
    until(`run ${runId} ${states.join(" or ")}`, async () => {
      const run = await rest.detail(runId);
      return states.includes(run.state) && run;
    }, PATIENT);
  const deployed: ClusterRest["deployed"] = (pipelineId) =>
    until(`pipeline ${pipelineId} deployed`, async () => {
      const pipeline = await rest.pipeline(pipelineId);
      return pipeline.deployment === "deployed" && pipeline;
    }, PATIENT);
  return {
    ...rest,
    runIs,
    deployed,
    async put(pipelineId, work, { type = "metadata", maxActiveRuns = "unlimited", ...more } = {}, options = {}) {
      const body = { agentId, name: pipelineId, type, maxActiveRuns, ...more, document: documentOf(work) };
      const view = PipelineView.parse(await rest.call("PUT", `/pipelines/${pipelineId}`, body));
      return options.settled === false ? view : await deployed(pipelineId);
    },
    async toggle(pipelineId, enabled) {
      await rest.call("POST", `/pipelines/${pipelineId}/toggle`, { enabled });
      await deployed(pipelineId);
    },
    remove: async (pipelineId) => void await rest.call("DELETE", `/pipelines/${pipelineId}`),
    gone: async (pipelineId) =>
      void await until(
        `the end of pipeline ${pipelineId}`,
        () => rest.pipeline(pipelineId).then(() => false, (error) => /HTTP 404/.test(String(error))),
        PATIENT,
      ),
    async automation(pipelineId, work, { type = "TEST_CONNECTION", ...more } = {}) {
      const job = { pipelineId, name: pipelineId, type, ...more, document: documentOf(work) };
      return RunSummary.parse(await rest.call("POST", "/automations", { agentId, job })).runId;
    },
    ended: (runId) => runIs(runId, "success", "partialSuccess", "failed", "stopped"),
    runsOf: async (pipelineId) =>
      RunPage.parse(await rest.call("GET", `/runs?limit=200&pipelineId=${encodeURIComponent(pipelineId)}`)).items,
  };
}
