/**
 * One session: what happens on one connection, from hello to its end. Hello, both snapshots, then heartbeats, statuses
 * and commands side by side, until the link is lost, renewed, or the runner stops.
 */
import { asFault, Fault, isFault, reasonOf } from "../fault.ts";
import type { Clock, Closed, Connection, Engine, Log, Random } from "../ports.ts";
import { CLOSES } from "../protocol/closes.ts";
import {
  LIMITS,
  type Params,
  type Result,
  TO_CONTROL_PLANE,
  TO_RUNNER,
  type ToControlPlane,
} from "../protocol/methods.ts";
import { createPeer } from "../protocol/peer.ts";
import type { Commands } from "./commands.ts";
import { fitted } from "./fitting.ts";
import { heartbeat } from "./heartbeat.ts";
import type { LogStreams } from "./log_streams.ts";
import type { Outbox } from "./outbox.ts";
import type { ScheduleEvents } from "./schedule_events.ts";
import { type ServerPeer, tellSnapshots } from "./snapshots.ts";

export type Hello = Omit<Params<ToControlPlane, "runner.hello">, "clock">;

/** What a session works with; all of it outlives the session. */
export interface SessionOptions {
  engine: Engine;
  outbox: Outbox;
  events: ScheduleEvents;
  /** Resolves when the engine's first list is complete: before that a snapshot would call live runs missing. */
  listed: Promise<void>;
  commands: Commands;
  streams: LogStreams;
  clock: Clock;
  random: Random;
  log: Log;
  hello: () => Hello;
  /** Takes in the control plane's clock less ours, milliseconds. */
  serverOffset: (ms: number) => void;
  /** Tells health and metrics. */
  connected: (sessionId: string | undefined) => void;
  maxConnectionMs: number;
  maxRuns?: number;
}

/** What ends a session from outside. */
export interface SessionSignals {
  /** The runner is to stop: finish what is in hand, then go. */
  stopping: AbortSignal;
  /** No more time: everything ends. */
  hard: AbortSignal;
  /** A sign of life of the link's loop. */
  beat: () => void;
  /** The token changed: renew the connection. */
  tokenChanged: Promise<void>;
}

/** How the session ended: the close, and what the link has to know. */
export interface SessionEnd extends Closed {
  /** How long the link held after hello, milliseconds. */
  heldMs: number;
  /** Renewed on purpose: dial again at once. */
  renewed: boolean;
  /** What `server.goodbye` asked for. */
  goodbyeSeconds?: number;
}

/** How long a hello may take before the connection is given up. */
const HELLO_MS = 15_000;
/** What renewal waits for answers that are under way. */
const RENEWAL_WAIT_MS = 10_000;

/** Runs one session to its end; rejects only where hello is refused or the answer is unusable. */
export async function runSession(
  connection: Connection,
  options: SessionOptions,
  { stopping, hard, tokenChanged, beat }: SessionSignals,
): Promise<SessionEnd> {
  const { clock, log, outbox, commands, streams } = options;
  /** Ends with the link. */
  const over = new AbortController();
  /** Ends when nothing new is to be sent: statuses and logs stop, answers still go out. */
  const draining = new AbortController();
  const alive = AbortSignal.any([over.signal, hard]);
  const sending = AbortSignal.any([alive, draining.signal]);
  let goodbyeSeconds: number | undefined;

  const peer: ServerPeer = createPeer({
    connection,
    incoming: TO_RUNNER,
    outgoing: TO_CONTROL_PLANE,
    clock,
    log,
    signal: hard,
    frameBytes: LIMITS.frameBytes,
    around: commands.around,
    handlers: commands.handlers({
      openLog: (runId, request) =>
        streams.open(
          runId,
          request,
          (chunk, signal) => peer.request("log.chunk", chunk, { signal, timeoutMs: Infinity, bulk: true }),
          sending,
        ),
      closeLog: (streamId) => streams.close(streamId),
      goodbye: (afterSeconds) => (goodbyeSeconds = afterSeconds),
    }),
  });
  const reading = peer.run().finally(() => over.abort(new Fault("unavailable", "Cannot go on: the link was lost")));
  // Whoever waits sees the end through `over`; without this a failure before the wait would be unhandled.
  reading.catch(() => {});
  const giveUp = () => connection.abandon("the runner stops");
  hard.addEventListener("abort", giveUp, { once: true });
  const began = clock.now();

  try {
    const welcome = await sayHello(peer, options, alive);
    peer.limitFrames(welcome.limits.frameBytes);
    options.connected(welcome.sessionId);
    log("info", "session.open", { sessionId: welcome.sessionId, version: welcome.serverVersion });
    const tasks = [
      heartbeat(peer, connection, welcome.heartbeatSeconds * 1000, { ...options, alive: beat }, over.signal),
      // Statuses wait for the snapshots: those adopt what the control plane does not know yet.
      tellSnapshots(peer, welcome, options, sending).then(() => tellChanges(peer, welcome.limits.frameBytes)),
    ].map((task) => task.catch((error) => over.signal.aborted || sending.aborted || fail(error)));
    const renewal = await untilRenewal(sending);
    if (renewal !== "over") await drain();
    const closed = await reading;
    await Promise.all(tasks);
    return { ...closed, heldMs: clock.now() - began, renewed: renewal === "renewal", ...bye() };
  } catch (error) {
    if (hard.aborted) throw hard.reason;
    // Hello failed: close codes say more than the lost answer does.
    if (!over.signal.aborted) connection.close(CLOSES.helloTimeout.code, reasonOf(error).slice(0, 100));
    const closed = await Promise.race([reading, connection.closed]);
    if (isFault(error, "unavailable")) return { ...closed, heldMs: 0, renewed: false, ...bye() };
    throw asFault(error, "open a session");
  } finally {
    hard.removeEventListener("abort", giveUp);
    over.abort(new Fault("unavailable", "Cannot go on: the session is over"));
    options.connected(undefined);
  }

  async function tellChanges(peer: ServerPeer, frameBytes: number): Promise<void> {
    await Promise.all([
      // A renewal lets what is under way be answered: only what is new stops with `sending`.
      outbox.deliver(
        (status) => peer.request("run.status", fitted(status, frameBytes), { signal: alive }).then(() => {}),
        sending,
      ),
      options.events.deliver(
        ({ kind: _kind, ...event }) => peer.request("pipeline.event", event, { signal: alive }),
        sending,
      ),
    ]);
  }

  function bye(): { goodbyeSeconds?: number } {
    return goodbyeSeconds === undefined ? {} : { goodbyeSeconds };
  }

  /** A part of the session that cannot go on ends the whole: the next session starts clean. */
  function fail(error: unknown): void {
    log("warn", "session.failed", { error });
    connection.abandon(reasonOf(error));
  }

  async function untilRenewal(sending: AbortSignal): Promise<"over" | "renewal" | "stopping"> {
    const jitter = 0.9 + options.random.float() * 0.2;
    const enough = new AbortController();
    const end = AbortSignal.any([sending, enough.signal]);
    const due = clock.sleep(options.maxConnectionMs * jitter, end).then(
      () => "renewal" as const,
      () => "over" as const,
    );
    const stop = new Promise<"stopping">((resolve) => {
      if (stopping.aborted) resolve("stopping");
      stopping.addEventListener("abort", () => resolve("stopping"), { once: true, signal: enough.signal });
    });
    try {
      return await Promise.race([due, stop, tokenChanged.then(() => "renewal" as const)]);
    } finally {
      enough.abort();
    }
  }

  /** Ends the session in order; a stop that comes while it is being renewed turns the renewal into a stop. */
  async function drain(): Promise<void> {
    const patience = new AbortController();
    const limit = AbortSignal.any([patience.signal, over.signal, hard]);
    // Renewal waits for a while; a stop for as long as the grace lasts.
    const timer = clock.sleep(RENEWAL_WAIT_MS, limit).then(() => stopping.aborted || patience.abort(), () => {});
    const stopSending = () => draining.abort(new Fault("unavailable", "Cannot send: the connection is being renewed"));
    try {
      while (commands.inHand() > 0) await clock.sleep(10, limit);
      if (!stopping.aborted) stopSending();
      while (!stopping.aborted && peer.waiting() > 0) await clock.sleep(10, limit);
      if (stopping.aborted && !draining.signal.aborted) await outbox.flushed(limit);
    } catch {
      // Out of patience: at-least-once covers what is under way.
    }
    stopSending();
    const { code, meaning } = stopping.aborted ? CLOSES.goingAway : CLOSES.normal;
    connection.close(code, meaning);
    patience.abort();
    await timer;
  }
}

async function sayHello(
  peer: ServerPeer,
  { hello, clock, serverOffset }: SessionOptions,
  signal: AbortSignal,
): Promise<Result<ToControlPlane, "runner.hello">> {
  const asked = clock.now();
  const params = { ...hello(), clock: new Date(asked).toISOString() };
  const welcome = await peer.request("runner.hello", params, { signal, timeoutMs: HELLO_MS });
  // The answer was written somewhere between question and answer: half the round trip is the best guess.
  serverOffset(Date.parse(welcome.clock) - (asked + clock.now()) / 2);
  return welcome;
}
