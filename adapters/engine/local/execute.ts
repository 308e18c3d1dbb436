/** What the wrapper does with a run that it has claimed: resolve, start, wait, judge. */
import { isFault, reasonOf } from "../../../mod/fault.ts";
import type { Reason } from "../../../mod/run.ts";
import type { SecretsProvider } from "../../../mod/ports.ts";
import { resolveText } from "../../../mod/secrets/resolve.ts";
import { revealBytes, type Secret } from "../../../mod/secrets/secret.ts";
import { createSecretsProvider } from "../../secrets/provider.ts";
import { runChild } from "./child.ts";
import { readText, removeAll } from "./disk.ts";
import { type Command, commandOf, type EndedFile, type RunLook, type WrapperSettings } from "./files.ts";
import { type JobLog, openJobLog } from "./job_log.ts";
import { removePrivate, writePrivate } from "./private.ts";
import type { RunFolder } from "./runs.ts";
import { isPartialSuccess } from "../termination.ts";

/** Why the run is ended from outside; the reason of the abort signal. */
export type EndedBy = "stop" | "deadline";

/** How long reading all references may take. */
const RESOLVE_MS = 120_000;

type Verdict = Omit<EndedFile, "started" | "finished">;

interface Hands {
  look: RunLook;
  settings: WrapperSettings;
  runs: RunFolder;
  /** Aborted with an `EndedBy`. */
  stop: AbortSignal;
  /** Called when the job's first process has started. */
  onStart(): Promise<void>;
}

/** Runs the claimed run to its end and says how it went. A job whose references cannot be resolved is not started. */
export async function execute(hands: Hands): Promise<Verdict> {
  const { look: { name, file }, settings, runs, stop } = hands;
  const logPath = `${runs.path}/${name}/log`;
  const command = commandOf(settings.commands, file.job.type);
  if (command === undefined) return failed("NoCommand", `No command is set for the pipeline type "${file.job.type}"`);
  if (command === "no-op") {
    await hands.onStart();
    return { state: "success" };
  }

  let resolved: { text: Secret; values: Secret[] };
  try {
    const deadline = AbortSignal.timeout(RESOLVE_MS);
    resolved = await resolveText(file.job.document, lazyProvider(settings), stop, { deadline });
  } catch (error) {
    if (stop.aborted) return endedFrom(stop, settings);
    // What is no fault of ours is told by its kind only: nobody knows what its text holds.
    const why = isFault(error) ? error.message : `Cannot resolve the document: ${kindOf(error)}`;
    await using log = await logOf(logPath, []);
    await log.say(why);
    return failed(isFault(error, "invalid") ? "InvalidDocument" : "SecretNotResolved", log.redact(why));
  }
  await using log = await logOf(logPath, resolved.values);
  try {
    const document = await writePrivate(settings.memoryPrefix, name, revealBytes(resolved.text));
    return await attempts(hands, command, document, log);
  } finally {
    await removePrivate(settings.memoryPrefix, name);
  }
}

/** The verdict on a run that was ended from outside. */
export function endedFrom(stop: AbortSignal, settings: WrapperSettings, log?: JobLog): Verdict {
  if (stop.reason !== "deadline") return { state: "stopped", reason: { code: "Stopped", message: "A stop was asked" } };
  const message = `The run took longer than its deadline and was ended (grace ${settings.graceSeconds} s)`;
  return { ...failed("DeadlineExceeded", message), diagnostics: { lastLines: log?.lastLines() ?? [] } };
}

async function attempts(hands: Hands, command: Command, document: string, log: JobLog): Promise<Verdict> {
  const { look: { file: { job } }, settings, stop } = hands;
  const all = (job.retries ?? 0) + 1;
  for (let attempt = 1;; attempt++) {
    const verdict = await once(hands, command, document, log, attempt === 1);
    if (verdict.state !== "failed" || stop.aborted || attempt === all) {
      const facts = all > 1 && verdict.diagnostics ? { facts: { attempts: `${attempt} of ${all}` } } : {};
      return { ...verdict, ...(verdict.diagnostics ? { diagnostics: { ...verdict.diagnostics, ...facts } } : {}) };
    }
    await log.say(`Attempt ${attempt} of ${all} failed (${verdict.reason?.message}); trying again`);
    await pause(1000, stop);
    if (stop.aborted) return endedFrom(stop, settings, log);
  }
}

async function once(
  { look: { name, file }, settings, runs, stop, onStart }: Hands,
  command: Command,
  document: string,
  log: JobLog,
  isFirst: boolean,
): Promise<Verdict> {
  const termination = `${runs.path}/${name}/termination`;
  await removeAll(termination);
  if (stop.aborted) return endedFrom(stop, settings, log);
  const env = {
    ...baseEnv(),
    ...file.job.env,
    ...command.env,
    pipelineType: file.job.type,
    pipelineRunId: file.runId,
    HYBRID_RUNNER_CONFIG: document,
    HYBRID_RUNNER_TERMINATION_LOG: termination,
  };
  let outcome, isRunning = false;
  const started = async () => {
    isRunning = true;
    if (isFirst) await onStart();
  };
  try {
    const graceMs = settings.graceSeconds * 1000;
    outcome = await runChild({ command, env, stop, graceMs, read: log.copy, onStart: started });
  } catch (error) {
    if (isRunning) return failed("LogFailed", `Cannot keep the job's log, so it was ended: ${kindOf(error)}`);
    const why = `Cannot start the command "${command.command}": ${log.redact(reasonOf(error))}`;
    await log.say(why);
    return failed("CannotStart", why);
  }
  if (outcome.stopped) return endedFrom(stop, settings, log);
  const { exitCode, signal } = outcome;
  if (exitCode === 0) {
    const isPartial = isPartialSuccess(await readText(termination));
    return { state: isPartial ? "partialSuccess" : "success" };
  }
  const reason: Reason = signal === undefined
    ? { code: "NonZeroExit", message: `The job's process ended with exit code ${exitCode}` }
    : { code: "Signal", message: `The job's process was killed by ${signal}` };
  const diagnostics = { exitCode, ...(signal ? { signal } : {}), lastLines: log.lastLines() };
  return { state: "failed", reason, diagnostics };
}

function failed(code: string, message: string): Verdict {
  return { state: "failed", reason: { code, message: message.slice(0, 4096) } };
}

/** A provider that cannot be made is a failure only of documents that need one. */
function lazyProvider(settings: WrapperSettings): SecretsProvider {
  try {
    return createSecretsProvider((name) => settings.secrets[name] ?? Deno.env.get(name));
  } catch (error) {
    return { kind: settings.secrets["SECRETS_MANAGER"] || "kubernetes", read: () => Promise.reject(error) };
  }
}

function baseEnv(): Record<string, string> {
  const names = ["PATH", "HOME"];
  return Object.fromEntries(names.flatMap((name) => {
    const value = Deno.env.get(name);
    return value === undefined ? [] : [[name, value]];
  }));
}

async function logOf(path: string, values: readonly Secret[]): Promise<JobLog & AsyncDisposable> {
  const log = await openJobLog(path, values);
  return { ...log, [Symbol.asyncDispose]: () => Promise.resolve(log.close()) };
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
}

function kindOf(error: unknown): string {
  return error instanceof Error ? error.name : typeof error;
}
