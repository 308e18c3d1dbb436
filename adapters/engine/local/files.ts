/**
 * What the local engine keeps on disk, and where. Everything is decided by files of which the first writer wins, so
 * that the runner, a wrapper and their successors can die at any point and the next look tells the same story:
 *
 *     <stateDir>/<agentHash>/
 *       engine.lock              held by the one engine on this folder
 *       settings.json            what wrappers need to know
 *       pipelines/<name>.json    revision, digest, job, enabled
 *       mutexes/<name>           held by the wrapper of a run that excludes others of its pipeline
 *       runs/.changed            touched by wrappers: something is new
 *       runs/<name>/
 *         run.json               what is to run: complete before the folder has its name
 *         lock                   held by the wrapper while it lives: held means alive
 *         started                the claim: its writer alone may run the job, or end it unrun
 *         running.json           the job's process has started
 *         log                    the job's output, redacted
 *         ended-by               why it is ended from outside: the first one counts
 *         ended.json             the terminal state: the first one is final
 *         acknowledged           it was told
 */
import * as z from "zod/mini";
import { Job } from "../../../mod/job.ts";
import { uuidOf } from "../../../mod/names.ts";
import { Diagnostics, Instant, Origin, Reason, type Run, RunId } from "../../../mod/run.ts";

/** run.json: what is to run, and when it was asked. */
export const RunFile = z.object({
  /** Rises with every run of this folder: the order in which runs of a pipeline get their turn. */
  order: z.number(),
  runId: RunId,
  pipelineId: z.string(),
  revision: z.int(),
  origin: Origin,
  scheduledAt: z.optional(Instant),
  job: Job,
  /** Of the request: tells a repeated start from another one under the same runId. */
  digest: z.string(),
  received: z.string(),
  accepted: z.string(),
  created: z.string(),
});
/** What is to run, and when it was asked. */
export type RunFile = z.infer<typeof RunFile>;

/** running.json: the job's process exists. */
export const RunningFile = z.object({ started: z.string() });
/** When the job's process started. */
export type RunningFile = z.infer<typeof RunningFile>;

/** ended.json: how the run ended. */
export const EndedFile = z.object({
  state: z.enum(["success", "partialSuccess", "failed", "stopped"]),
  started: z.optional(z.string()),
  finished: z.string(),
  reason: z.optional(Reason),
  diagnostics: z.optional(Diagnostics),
});
/** How a run ended. */
export type EndedFile = z.infer<typeof EndedFile>;

/** What runs the jobs of one pipeline type; from local settings only, never from the wire. */
export const Command = z.object({
  command: z.string(),
  args: z.array(z.string()),
  env: z.optional(z.record(z.string(), z.string())),
});
/** What runs the jobs of one pipeline type. */
export type Command = z.infer<typeof Command>;

/**
 * The secrets provider's settings by their environment names (`SECRETS_MANAGER`, `SECRETS_DIR`, …), for the wrappers:
 * the runner itself never holds a value. What is absent here is looked up in the environment.
 */
export const WrapperSecrets = z.record(z.string(), z.string());
/** The secrets provider's settings. */
export type WrapperSecrets = z.infer<typeof WrapperSecrets>;

/** settings.json: what wrappers need to know. */
export const WrapperSettings = z.object({
  commands: z.record(z.string(), Command),
  secrets: WrapperSecrets,
  graceSeconds: z.number(),
  /** Prefix of the folders for resolved documents; in memory where the machine allows it. */
  memoryPrefix: z.string(),
});
/** What wrappers need to know. */
export type WrapperSettings = z.infer<typeof WrapperSettings>;

/** Everything that the disk says of one run. */
export interface RunLook {
  /** The run's folder. */
  name: string;
  /** What is to run. */
  file: RunFile;
  /** Somebody has taken the run: a wrapper to run it, or the engine to end it unrun. */
  claimed: boolean;
  /** Absent until the job's process exists. */
  running?: RunningFile;
  /** Why it is ended from outside; absent if nobody asked. */
  endedBy?: string;
  /** Absent until the run has ended. */
  ended?: EndedFile;
  /** The end was told and taken. */
  acknowledged: boolean;
}

/** The port's view of what the disk says. */
export function viewOfRun(look: RunLook, waiting?: Run["reason"]): Run {
  const { file, running, ended } = look;
  const started = running?.started ?? ended?.started;
  const reason = ended === undefined ? (running === undefined ? waiting : undefined) : ended.reason;
  return {
    runId: file.runId,
    pipelineId: file.pipelineId,
    revision: file.revision,
    kind: file.job.kind,
    origin: file.origin,
    ...(file.scheduledAt === undefined ? {} : { scheduledAt: file.scheduledAt }),
    state: ended?.state ?? (running === undefined ? "queued" : "running"),
    times: {
      received: file.received,
      accepted: file.accepted,
      created: file.created,
      ...(started === undefined ? {} : { started }),
      ...(ended === undefined ? {} : { finished: ended.finished }),
    },
    ...(reason === undefined ? {} : { reason }),
    ...(ended?.diagnostics === undefined ? {} : { diagnostics: ended.diagnostics }),
  };
}

/** The command for a pipeline type, `default` where the type has no row; the canary runs no process at all. */
export function commandOf(commands: Readonly<Record<string, Command>>, type: string): Command | "no-op" | undefined {
  if (type === "canary") return "no-op";
  const row = Object.hasOwn(commands, type) ? type : "default";
  return Object.hasOwn(commands, row) ? commands[row] : undefined;
}

/** What wrappers need to know. */
export function settingsPath(base: string): string {
  return `${base}/settings.json`;
}

/** The lock that runs of one pipeline exclude each other with. */
export function mutexPath(base: string, pipelineId: string): string {
  return `${base}/mutexes/${uuidOf(pipelineId)}`;
}
