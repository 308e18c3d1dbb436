/**
 * The runner: its loops, side by side. What the engine shows goes into the outbox; the link carries commands in and
 * statuses out. It ends when it was asked to and everything in hand is finished, or when its grace is over.
 */
import { createBackoff } from "../backoff.ts";
import { Fault } from "../fault.ts";
import type { Audit, Channel, Clock, Engine, EngineLogs, Log, Random, TokenSource } from "../ports.ts";
import type { Redactor } from "../redact.ts";
import { LIMITS } from "../protocol/methods.ts";
import { type Commands, createCommands } from "./commands.ts";
import { runLink } from "./link.ts";
import { createLogStreams } from "./log_streams.ts";
import { createOutbox } from "./outbox.ts";
import { createGate, type Policy } from "./policy.ts";
import { redactedEngine } from "./redacted_engine.ts";
import { createScheduleEvents } from "./schedule_events.ts";
import { type Hello, runSession, type SessionOptions } from "./session.ts";
import { createLoops, type Loops } from "./supervise.ts";

/** Settings and ports of one runner; members named in seconds are seconds. */
export interface RunnerOptions {
  agentId: string;
  instanceId: string;
  version: string;
  secretsProvider: string;
  objectLifeSeconds: number;
  reconnectDelaySeconds: number;
  maxConnectionSeconds: number;
  shutdownGraceSeconds: number;
  maxRuns?: number;
  channel: Channel;
  tokens: TokenSource;
  engine: Engine & Partial<EngineLogs>;
  /** Why the engine can run no jobs, where it cannot. */
  engineMessage?: string;
  policy: Policy;
  audit: Audit;
  /** The names of the secrets that a document refers to. */
  secretNames: (document: string) => Promise<readonly string[]>;
  createRedactor: () => Redactor;
  clock: Clock;
  random: Random;
  log: Log;
}

/** A runner that can be run once, and what health shows of it. */
export interface Runner {
  /** Runs until `stopping` aborts and what is in hand is finished (or the grace is over). */
  run(stopping: AbortSignal): Promise<void>;
  loops(): ReturnType<Loops["ages"]>;
  /** Whether a session is open, with a sentence. */
  link(): { ok: boolean; message: string };
}

const BACKOFF_CAP_MS = 60_000;
/** Longer without a sign of life, and the link's loop is stuck: liveness fails. */
const LINK_ALIVE_SECONDS = 300;

/** Puts the parts together; nothing happens before `run`. */
export function createRunner(options: RunnerOptions): Runner {
  const { clock, random, log } = options;
  const engine = redactedEngine(options.engine, options.createRedactor);
  const hard = new AbortController();
  const outbox = createOutbox({ engine, clock, log });
  const events = createScheduleEvents({ clock, log });
  const listed = Promise.withResolvers<void>();
  let loops: Loops | undefined;
  let link = { ok: false, message: "not yet connected" };
  let serverOffsetMs = 0, isStopping = false;

  const commands: Commands = createCommands({
    engine,
    hasLogs: options.engine.logs !== undefined,
    listed: listed.promise,
    gate: createGate(options.policy, options.audit, options.secretNames),
    outbox,
    clock,
    log,
    version: options.version,
    objectLifeSeconds: options.objectLifeSeconds,
    serverOffsetMs: () => serverOffsetMs,
    stopping: () => isStopping,
  });
  const streams = createLogStreams({
    engine: { logs: (runId, how, signal) => logsOf(options.engine).logs(runId, how, signal) },
    createRedactor: options.createRedactor,
    log,
  });

  const session: SessionOptions = {
    engine,
    outbox,
    events,
    commands,
    streams,
    clock,
    random,
    log,
    listed: listed.promise,
    hello: () => helloOf(options),
    serverOffset: (ms) => (serverOffsetMs = ms),
    connected: (sessionId) => {
      if (sessionId !== undefined) link = { ok: true, message: `session ${sessionId}` };
      else if (link.ok) link = { ok: false, message: "the session has ended" };
    },
    maxConnectionMs: options.maxConnectionSeconds * 1000,
    ...options.maxRuns === undefined ? {} : { maxRuns: options.maxRuns },
  };

  return { run, loops: () => loops?.ages() ?? [], link: () => link };

  async function run(stopping: AbortSignal): Promise<void> {
    loops = createLoops({ clock, log, signal: hard.signal });
    const linkOver = new AbortController();
    const watching = loops.supervise("engine", (beat) => watch(beat), {});
    stopping.addEventListener("abort", () => void stop(linkOver.signal), { once: true });
    // It beats with every dial, every heartbeat and every half minute of a wait.
    await loops.supervise("link", async (beat) => {
      await runLink({
        channel: options.channel,
        tokens: options.tokens,
        session: (connection, signals) => runSession(connection, session, signals),
        backoff: createBackoff({ baseMs: options.reconnectDelaySeconds * 1000, capMs: BACKOFF_CAP_MS, random }),
        clock,
        random,
        log,
        disconnected: (reason) => (link = { ok: false, message: reason }),
      }, { stopping, hard: hard.signal, beat });
      if (stopping.aborted) hard.abort(new Fault("unavailable", "Cannot go on: the runner stops"));
    }, { withinSeconds: LINK_ALIVE_SECONDS });
    linkOver.abort();
    await watching;
  }

  /** Asked to stop: nothing new is begun, and what is in hand has the grace period to end. */
  async function stop(linkOver: AbortSignal): Promise<void> {
    isStopping = true;
    log("info", "runner.stopping", { seconds: options.shutdownGraceSeconds });
    await clock.sleep(options.shutdownGraceSeconds * 1000, linkOver).catch(() => {});
    hard.abort(new Fault("unavailable", "Cannot go on: the grace period is over"));
  }

  async function watch(beat: () => void): Promise<void> {
    for await (const event of engine.runs(hard.signal)) {
      beat();
      switch (event.kind) {
        case "run":
          outbox.observe(event.run);
          break;
        case "listed":
          log("info", "engine.listed", { engine: engine.description.kind, count: outbox.open().length });
          listed.resolve();
          break;
        case "schedule":
          events.put(event);
      }
    }
  }
}

/** The hello that describes this runner; what never changes while it lives. */
function helloOf(
  { agentId, instanceId, version, secretsProvider, objectLifeSeconds, maxRuns, ...rest }: RunnerOptions,
): Hello {
  const { kind, version: engineVersion, lacks } = rest.engine.description;
  return {
    agentId,
    instanceId,
    role: "active",
    epoch: 0,
    version,
    engine: {
      kind,
      version: engineVersion,
      lacks: [...lacks],
      ...rest.engineMessage === undefined ? {} : { message: rest.engineMessage },
    },
    secretsProvider,
    features: ["logs", "automation.run", "application.run", "canary.run"].filter((name) =>
      name !== "logs" || rest.engine.logs !== undefined
    ),
    capacity: maxRuns === undefined ? {} : { maxRuns },
    objectLifeSeconds,
    frameBytes: LIMITS.frameBytes,
  };
}

/** An engine without logs lets `log.open` be refused before it gets here. */
function logsOf(engine: Engine & Partial<EngineLogs>): EngineLogs {
  if (engine.logs === undefined) throw new Fault("unavailable", "Cannot read the log: this engine keeps none");
  return { logs: engine.logs.bind(engine) };
}
