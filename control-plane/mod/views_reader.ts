/** Reads records and shows them as views: for REST and the web page alike. */
import type { PageData } from "./page_data.ts";
import type { PipelineFilter, RunFilter, Storage } from "./ports.ts";
import { pipelineView, runDetail, runnerView, runSummary } from "./projections.ts";
import type { TokenRecord } from "./records.ts";
import type { Runners } from "./runners.ts";
import type { PipelineView, RunSummary } from "./views.ts";

/** The page's data, with pages and filters for REST. */
export interface ViewsReader extends PageData {
  pipelines(filter: PipelineFilter): Promise<PipelineView[]>;
  runs(filter: RunFilter): Promise<RunSummary[]>;
}

/** Makes the reader. */
export function createViewsReader(storage: Storage, runners: Runners): ViewsReader {
  return {
    async runners() {
      const [records, tokens] = await Promise.all([storage.runners(), storage.tokens()]);
      const byId = new Map(records.map((record) => [record.agentId, record]));
      const ids = new Set([...byId.keys(), ...live(tokens).map((token) => token.subject)]);
      return [...ids].sort().map((id) => runnerView(id, byId.get(id), runners.presence(id), expiryOf(tokens, id)));
    },
    async runner(agentId) {
      const [record, tokens] = await Promise.all([storage.runner(agentId), storage.tokensOf(agentId)]);
      const expiry = expiryOf(tokens, agentId);
      if (record === undefined && expiry === undefined) return undefined;
      return runnerView(agentId, record, runners.presence(agentId), expiry);
    },
    async pipelines(filter) {
      return (await storage.pipelines(filter)).flatMap((record) => pipelineView(record) ?? []);
    },
    async pipeline(pipelineId) {
      const record = await storage.pipeline(pipelineId);
      return record === undefined ? undefined : pipelineView(record);
    },
    async runs(filter) {
      return (await storage.runs(filter)).map(runSummary);
    },
    async run(runId) {
      const run = await storage.run(runId);
      return run === undefined ? undefined : runDetail(run, await storage.statuses(runId));
    },
  };

  function expiryOf(tokens: TokenRecord[], agentId: string): string | undefined {
    const active = runners.active(agentId);
    if (active !== undefined) return new Date(active.claims.expiresAt).toISOString();
    return live(tokens).filter((token) => token.subject === agentId).map((token) => token.expiresAt).sort().at(-1);
  }
}

function live(tokens: TokenRecord[]): TokenRecord[] {
  return tokens.filter((token) => token.scope === "runner" && token.revokedAt === undefined);
}
