/** What the web page may ask for: views and nothing else, so that it can change nothing and see no secret. */
import type { PipelineView, RunDetail, RunnerView, RunSummary } from "./views.ts";

/** Read-only; each answer is fresh. */
export interface PageData {
  /** Every runner that ever connected or has a token, by agentId. */
  runners(): Promise<RunnerView[]>;
  /** Undefined if there is no such runner. */
  runner(agentId: string): Promise<RunnerView | undefined>;
  /** Pipelines, by name; of one runner where `agentId` is given. */
  pipelines(filter: { agentId?: string }): Promise<PipelineView[]>;
  /** Undefined if there is no such pipeline. */
  pipeline(pipelineId: string): Promise<PipelineView | undefined>;
  /** The newest runs first, at most `limit`. */
  runs(filter: { pipelineId?: string; agentId?: string; limit: number }): Promise<RunSummary[]>;
  /** Undefined if there is no such run. */
  run(runId: string): Promise<RunDetail | undefined>;
}
