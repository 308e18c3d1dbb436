/** Makes runs: from a command, or from a slot of a schedule. */
import { contentDigest } from "../../../mod/digest.ts";
import { Fault } from "../../../mod/fault.ts";
import type { Job } from "../../../mod/job.ts";
import { runName } from "../../../mod/names.ts";
import type { Clock, StartRequest } from "../../../mod/ports.ts";
import type { PipelineStore } from "../revisions.ts";
import { type Command, commandOf, type RunLook } from "./files.ts";
import { instantAfter, type RunFolder } from "./runs.ts";

/** Creates the run, or finds it. Faults: `conflict`, `not_found`, `invalid`, `unavailable`. */
export type Starter = (request: StartRequest) => Promise<RunLook>;

/** What starting needs. */
export interface StarterOptions {
  /** Whose runs and pipelines these are. */
  agentId: string;
  /** The folder of runs. */
  runs: RunFolder;
  /** Where the pipelines are kept. */
  pipelines: PipelineStore;
  /** What runs the jobs, by pipeline type. */
  commands: Readonly<Record<string, Command>>;
  /** Tells the time, and waits. */
  clock: Clock;
}

/** Looks at the runs that are there, so that the order goes on where it was. */
export async function createStarter(options: StarterOptions): Promise<Starter> {
  const { agentId, runs, pipelines, commands, clock } = options;
  let order = 0;
  for (const name of await runs.names()) {
    order = Math.max(order, (await runs.look(name).catch(() => undefined))?.file.order ?? 0);
  }

  const jobOf = async (request: StartRequest): Promise<{ job: Job; revision: number }> => {
    const { pipelineId, runId, job, revision } = request;
    const refuse = (code: "not_found" | "conflict" | "invalid", reason: string, path?: string): never => {
      throw new Fault(code, `Cannot start run ${runId} of pipeline "${pipelineId}": ${reason}`, { path });
    };
    if (job !== undefined) {
      if (job.pipelineId !== pipelineId) {
        refuse("invalid", `its job names pipeline "${job.pipelineId}"`, "job.pipelineId");
      }
      return { job, revision: job.revision };
    }
    const held = await pipelines.read(pipelineId) ?? refuse("not_found", "it is not deployed");
    if (revision !== undefined && revision !== held.deployedRevision) {
      refuse("conflict", `revision ${held.deployedRevision} is in force, not ${revision}`);
    }
    return { job: held.job, revision: held.deployedRevision };
  };

  return async (request) => {
    const { runId, pipelineId, origin, scheduledAt, received } = request;
    const name = runName(agentId, runId);
    // Of the request, not of what it resolved to: a repeat after a new deploy is still the same command.
    const asked = { pipelineId, revision: request.revision ?? null, job: request.job ?? null };
    const digest = contentDigest(agentId, runId, asked);
    const found = async (): Promise<RunLook | undefined> => {
      const look = await runs.look(name);
      if (look === undefined || look.file.digest === digest) return look;
      throw new Fault("conflict", `Cannot start run ${runId}: a run of this id with other content exists`);
    };
    const there = await found();
    if (there !== undefined) return there;

    const { job, revision } = await jobOf(request);
    if (commandOf(commands, job.type) === undefined) {
      const reason = `no command is set for the pipeline type "${job.type}", and no default`;
      throw new Fault("unavailable", `Cannot start run ${runId}: ${reason}`);
    }
    const accepted = instantAfter(clock.now(), received);
    order = Math.max(order + 1, clock.now() * 1000);
    const created = instantAfter(clock.now(), accepted);
    const file = {
      ...{ order, runId, pipelineId, revision, origin, job, digest, received, accepted, created },
      ...(scheduledAt === undefined ? {} : { scheduledAt }),
    };
    await runs.create(name, file);
    const look = await found();
    if (look === undefined) throw new Error(`run ${runId} vanished while it was created`);
    const held = request.job === undefined ? await pipelines.read(pipelineId) : undefined;
    if (held !== undefined) await pipelines.save({ ...held, lastRunAt: created });
    return look;
  };
}
