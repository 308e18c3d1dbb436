/** What a runner shows of its pipelines, taken into the book of pipelines. */
import type { PipelineSummary } from "../../mod/protocol/methods.ts";
import type { Core } from "./core.ts";
import { judgeMissing, judgeShown, type Verdict } from "./pipeline_rules.ts";
import type { PipelineRecord } from "./records.ts";

/** Both answer what the runner is to do about them. */
export interface PipelineSnapshots {
  /** Takes a page of the runner's snapshot. */
  adopt(agentId: string, shown: PipelineSummary[]): Promise<{ pipelineId: string; verdict: Verdict }[]>;
  /** What a complete snapshot of a runner did not show. */
  missing(agentId: string, shown: ReadonlySet<string>): Promise<{ pipelineId: string; verdict: Verdict }[]>;
}

/** Makes it; `publish` tells whoever listens. */
export function createPipelineSnapshots(
  { storage, log }: Core,
  publish: (record: PipelineRecord) => void,
): PipelineSnapshots {
  return { adopt, missing };

  async function adopt(agentId: string, shown: PipelineSummary[]) {
    const judged = await storage.write(async (tx) => {
      const all: { record: PipelineRecord; verdict: Verdict }[] = [];
      for (const summary of shown) {
        const known = await tx.pipeline(summary.pipelineId);
        if (known !== undefined && known.agentId !== agentId && known.deployment !== "deleted") {
          log("warn", "pipeline.elsewhere", { agentId, pipelineId: summary.pipelineId });
          continue;
        }
        const judgement = judgeShown(agentId, known?.agentId === agentId ? known : undefined, summary);
        await tx.putPipeline(judgement.record);
        all.push(judgement);
      }
      return all;
    });
    for (const { record } of judged) publish(record);
    return judged.map(({ record, verdict }) => ({ pipelineId: record.pipelineId, verdict }));
  }

  async function missing(agentId: string, shown: ReadonlySet<string>) {
    const judged = await storage.write(async (tx) => {
      const all: { record: PipelineRecord; verdict?: Verdict }[] = [];
      for (const record of await tx.pipelines({ agentId })) {
        if (shown.has(record.pipelineId)) continue;
        const judgement = judgeMissing(record);
        if (judgement === undefined) await tx.forgetPipeline(record.pipelineId);
        else await tx.putPipeline(judgement.record);
        if (judgement !== undefined) all.push(judgement);
      }
      return all;
    });
    for (const { record } of judged) publish(record);
    return judged.flatMap(({ record: { pipelineId }, verdict }) =>
      verdict === undefined ? [] : [{ pipelineId, verdict }]
    );
  }
}
