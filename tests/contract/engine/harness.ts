/** What the checks of the engine contract stand on. */
import assert from "node:assert/strict";
import { type FaultCode, isFault } from "../../../mod/fault.ts";
import type { Job } from "../../../mod/job.ts";
import type { Engine, EngineEvent, EngineLack, EngineLogs, LogPiece, StartRequest } from "../../../mod/ports.ts";
import { isTerminal, type Run } from "../../../mod/run.ts";

export interface EngineHarness {
  /** The engine under test; another one after `restart`. */
  readonly engine: Engine & Partial<EngineLogs>;
  /** A job that behaves so on this engine. */
  job(behaviour: Behaviour, overrides?: Partial<Job>): Job;
  /** How long a single change may take on this engine, in milliseconds. */
  readonly patienceMs: number;
  /** Drops the engine without mercy and makes a new one over the same state. */
  restart(): Promise<void>;
  /** Takes a run's object away, as somebody with other tools would. */
  deleteRun(runId: string): Promise<void>;
  /** Takes away what is left of a run's log. */
  loseLog(runId: string): Promise<void>;
  /** Cron text whose next slot `toSlot` can reach. */
  readonly schedule: string;
  /** Brings the engine's clock to the slot (an ISO instant): sets it, or waits. */
  toSlot(slot: string): Promise<void>;
  close(): Promise<void>;
}

export type Behaviour =
  /** Prints each line once and ends well. */
  | { does: "succeed"; lines?: number }
  /** Prints `line 1`, `line 2`… and ends with the exit code. */
  | { does: "fail"; exitCode: number; lines: number }
  /** Prints `line 1` and then sleeps until it is stopped. */
  | { does: "sleep" }
  /** The same, deaf to SIGTERM. */
  | { does: "ignore-term" }
  /** Prints `line 1`…, one each `everyMs`, and ends well. */
  | { does: "print"; lines: number; everyMs: number }
  /** Ends well with the termination message of a partial success. */
  | { does: "partial" }
  /** Prints its document as it reached it and ends well. */
  | { does: "echo"; document: string };

export interface Check {
  run(harness: EngineHarness, signal: AbortSignal): Promise<void>;
  /** The capabilities without which the check means nothing. */
  needs?: readonly EngineLack[];
}

/** A start by command of a fresh run. */
export function request(pipelineId: string, more: Partial<StartRequest> = {}): StartRequest {
  return { runId: crypto.randomUUID(), pipelineId, origin: "command", received: new Date().toISOString(), ...more };
}

/** Deploys the job and starts it by a fresh command. */
export async function startNow(h: EngineHarness, job: Job, signal: AbortSignal): Promise<Run> {
  await h.engine.deploy(job, signal);
  return await h.engine.start(request(job.pipelineId), signal);
}

/** Looks again and again until the answer is there; says what it waited for when patience ends. */
export async function until<T>(
  h: EngineHarness,
  what: string,
  look: () => Promise<T | undefined | false> | T | undefined | false,
  signal: AbortSignal,
): Promise<T> {
  const end = performance.now() + h.patienceMs;
  while (true) {
    signal.throwIfAborted();
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > end) assert.fail(`${what}: not within ${h.patienceMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Waits until a live look finds the run in the state. */
export function inState(h: EngineHarness, runId: string, state: Run["state"], signal: AbortSignal): Promise<Run> {
  return until(h, `run is ${state}`, async () => {
    const run = await h.engine.find(runId, signal);
    assert(run, `run ${runId} is there`);
    if (run.state !== state && isTerminal(run.state)) {
      assert.fail(`the run is ${run.state} instead of ${state}: ${JSON.stringify(run)}`);
    }
    return run.state === state && run;
  }, signal);
}

/** The code of the reason that a run tells, as soon as it tells one. */
export function reasonCode(h: EngineHarness, runId: string, signal: AbortSignal): Promise<string> {
  return until(h, "a reason", async () => (await h.engine.find(runId, signal))?.reason?.code, signal);
}

/** Waits until the run has ended, whichever way. */
export function ended(h: EngineHarness, runId: string, signal: AbortSignal): Promise<Run> {
  return until(h, "the run has ended", async () => {
    const run = await h.engine.find(runId, signal);
    return run && isTerminal(run.state) && run;
  }, signal);
}

export interface Watch {
  readonly events: EngineEvent[];
  /** Views of one run, in order. */
  of(runId: string): Run[];
  /** Resolves when the initial list was told. */
  listed(): Promise<unknown>;
  /** Ends it; the error that ended it, the abort's reason by default. */
  stop(): Promise<unknown>;
}

/** Reads the engine's changes in the background. */
export function watch(h: EngineHarness, signal: AbortSignal): Watch {
  const ending = new AbortController();
  const events: EngineEvent[] = [];
  const reading = (async () => {
    for await (const event of h.engine.runs(AbortSignal.any([signal, ending.signal]))) events.push(event);
  })().catch((error: unknown) => error);
  return {
    events,
    of: (runId) => events.flatMap((event) => event.kind === "run" && event.run.runId === runId ? [event.run] : []),
    listed: () => until(h, "the list is told", () => events.some((event) => event.kind === "listed"), signal),
    stop() {
      ending.abort(new Error("the watch is over"));
      return reading;
    },
  };
}

/** Every run that the engine has. */
export async function everything(h: EngineHarness, signal: AbortSignal): Promise<Run[]> {
  const runs: Run[] = [];
  for await (const run of h.engine.everything(signal)) runs.push(run);
  return runs;
}

/** Pieces of a log to their end, and the lines in them. */
export async function readLog(
  h: EngineHarness,
  runId: string,
  options: { follow: boolean; cursor?: string },
  signal: AbortSignal,
): Promise<{ pieces: LogPiece[]; lines: string[]; end: LogPiece | undefined }> {
  assert(h.engine.logs, "an engine that does not lack logs has them");
  const pieces: LogPiece[] = [];
  for await (const piece of h.engine.logs(runId, options, signal)) pieces.push(piece);
  const lines = pieces.flatMap((piece) => piece.kind === "lines" ? piece.lines : []);
  return { pieces, lines, end: pieces.at(-1) };
}

/** `line 1` to `line <count>`. */
export function numbered(count: number): string[] {
  return Array.from({ length: count }, (_, at) => `line ${at + 1}`);
}

/** The promise rejects with a fault of this code. */
export async function faults(code: FaultCode, promise: Promise<unknown>, path?: string): Promise<void> {
  await assert.rejects(promise, (error: unknown) => {
    assert(isFault(error), `a Fault, not ${error}`);
    assert.equal(error.code, code, error.message);
    if (path !== undefined) assert.equal(error.details.path, path);
    assert.match(error.message, /^Cannot /);
    return true;
  });
}
