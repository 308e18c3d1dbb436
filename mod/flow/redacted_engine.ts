/**
 * The engine behind the redactor: what a job said may hold a credential, so every run passes here before anything else
 * sees it. One wall instead of one on each way out.
 */
import type { Engine, EngineEvent } from "../ports.ts";
import type { Redactor } from "../redact.ts";
import type { Run } from "../run.ts";

/** The same engine; reasons and diagnostics of its runs are redacted. */
export function redactedEngine(engine: Engine, createRedactor: () => Redactor): Engine {
  const redacted = (run: Run) => redactedRun(run, createRedactor());
  return {
    description: engine.description,
    deploy: (job, signal) => engine.deploy(job, signal),
    remove: (pipelineId, revision, signal) => engine.remove(pipelineId, revision, signal),
    enable: (pipelineId, revision, on, signal) => engine.enable(pipelineId, revision, on, signal),
    pipelines: (signal) => engine.pipelines(signal),
    start: async (request, signal) => redacted(await engine.start(request, signal)),
    stop: async (runId, signal) => redacted(await engine.stop(runId, signal)),
    find: async (runId, signal) => {
      const run = await engine.find(runId, signal);
      return run && redacted(run);
    },
    acknowledge: (runId, signal) => engine.acknowledge(runId, signal),
    async *runs(signal): AsyncGenerator<EngineEvent> {
      for await (const event of engine.runs(signal)) {
        yield event.kind === "run" ? { kind: "run", run: redacted(event.run) } : event;
      }
    },
    async *everything(signal): AsyncGenerator<Run> {
      for await (const run of engine.everything(signal)) yield redacted(run);
    },
    health: (signal) => engine.health(signal),
  };
}

/** A run whose texts are redacted. */
export function redactedRun(run: Run, { line, lines }: Pick<Redactor, "line" | "lines">): Run {
  const { reason, diagnostics } = run;
  if (reason === undefined && diagnostics === undefined) return run;
  const facts = diagnostics?.facts && Object.entries(diagnostics.facts).map(([name, text]) => [name, line(text)]);
  return {
    ...run,
    ...reason ? { reason: { code: reason.code, message: line(reason.message) } } : {},
    ...diagnostics
      ? {
        diagnostics: {
          ...diagnostics,
          ...diagnostics.lastLines ? { lastLines: lines(diagnostics.lastLines) } : {},
          ...facts ? { facts: Object.fromEntries(facts) } : {},
        },
      }
      : {},
  };
}
