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
import { createPeer, type Peer } from "../protocol/peer.ts";
import { isTerminal } from "../run.ts";
import type { Commands } from "./commands.ts";
import type { LogStreams } from "./logstreams.ts";
import type { Outbox } from "./outbox.ts";
import type { ScheduleEvents } from "./schedule_events.ts";
import { tellSnapshots } from "./snapshots.ts";

export type Hello = Omit<Params<ToControlPlane, "runner.hello">, "clock">;

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

export interface SessionSignals {
  /** The runner is to stop: finish what is in hand, then go. */
  stopping: AbortSignal;
  /** No more time: everything ends. */
  hard: AbortSignal;
  /** The token changed: renew the connection. */
  tokenChanged: Promise<void>;
}

export interface SessionEnd extends Closed {
  /** How long the link held after hello, milliseconds. */
  heldMs: number;
  /** Renewed on purpose: dial again at once. */
  renewed: boolean;
  /** What `server.goodbye` asked for. */
  goodbyeSeconds?: number;
}

export type ServerPeer = Peer<ToControlPlane>;

/** How long a hello may take before the connection is given up. */
const HELLO_MS = 15_000;
/** What renewal waits for answers that are under way. */
const RENEWAL_WAIT_MS = 10_000;

/** Runs one session to its end; rejects only where hello is refused or the answer is unusable. */
export async function runSession(
  connection: Connection,
  options: SessionOptions,
  { stopping, hard, tokenChanged }: SessionSignals,
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
      heartbeat(peer, connection, welcome.heartbeatSeconds * 1000, options, over.signal),
      // Statuses wait for the snapshots: those adopt what the control plane does not know yet.
      tellSnapshots(peer, welcome, options, sending).then(() => tellChanges(peer)),
    ].map((task) => task.catch((error) => over.signal.aborted || sending.aborted || fail(error)));
    const renewal = await untilRenewal(sending);
    if (renewal !== "over") await drain(renewal === "stopping");
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

  async function tellChanges(peer: ServerPeer): Promise<void> {
    await Promise.all([
      // A renewal lets what is under way be answered: only what is new stops with `sending`.
      outbox.deliver((status) => peer.request("run.status", status, { signal: alive }).then(() => {}), sending),
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

  async function drain(isStopping: boolean): Promise<void> {
    const patience = new AbortController();
    const limit = AbortSignal.any([patience.signal, over.signal, hard]);
    const timer = isStopping ? undefined : clock.sleep(RENEWAL_WAIT_MS, limit).then(() => patience.abort(), () => {});
    try {
      while (commands.inHand() > 0) await clock.sleep(10, limit);
      if (isStopping) await outbox.flushed(limit);
      draining.abort(new Fault("unavailable", "Cannot send: the connection is being renewed"));
      while (peer.waiting() > 0) await clock.sleep(10, limit);
    } catch {
      // Out of patience: at-least-once covers what is under way.
    }
    draining.abort(new Fault("unavailable", "Cannot send: the connection is being renewed"));
    const { code, meaning } = isStopping ? CLOSES.goingAway : CLOSES.normal;
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

/**
 * Beats until the session is over. Two intervals without a sign of life mean that the link is dead, however healthy
 * the socket looks: a half-open link is never reported by the platform.
 */
async function heartbeat(
  peer: ServerPeer,
  connection: Connection,
  everyMs: number,
  { clock, log, outbox, maxRuns, serverOffset }: SessionOptions,
  signal: AbortSignal,
): Promise<void> {
  let alive = clock.now(), buffered = connection.buffered;
  const beat = () => {
    const asked = clock.now();
    const live = outbox.live().filter((run) => !isTerminal(run.state)).length;
    const params = {
      inFlight: live,
      ...maxRuns === undefined ? {} : { free: Math.max(0, maxRuns - live) },
      oldestUnacknowledgedSeconds: outbox.oldestSeconds(),
      clock: new Date(asked).toISOString(),
    };
    peer.request("runner.heartbeat", params, { signal, timeoutMs: everyMs * 2 }).then(
      (answer) => serverOffset(Date.parse(answer.clock) - (asked + clock.now()) / 2),
      (error) => signal.aborted || log("debug", "heartbeat.unanswered", { error }),
    );
  };
  // Looks more often than it beats, so that a dead link is noticed soon after the second interval.
  for (let tick = 0;; tick++) {
    if (tick % 4 === 0) beat();
    await clock.sleep(everyMs / 4, signal);
    // A send buffer that shrinks is a sign of life too: a slow link is not a dead one.
    if (connection.buffered < buffered) alive = clock.now();
    buffered = connection.buffered;
    alive = Math.max(alive, peer.heardAt());
    if (clock.now() - alive > everyMs * 2) {
      connection.abandon(`no sign of life for ${Math.round((clock.now() - alive) / 1000)} s`);
      return;
    }
  }
}
