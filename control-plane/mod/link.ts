/** One runner's connection, from its first frame to its end: hello, then what the runner tells. */
import { Fault } from "../../mod/fault.ts";
import type { Closed, Connection } from "../../mod/ports.ts";
import { CLOSES } from "../../mod/protocol/closes.ts";
import {
  LIMITS,
  type Params,
  type Result,
  TO_CONTROL_PLANE,
  TO_RUNNER,
  type ToControlPlane,
} from "../../mod/protocol/methods.ts";
import { createPeer, type Handlers } from "../../mod/protocol/peer.ts";
import { type Core, instant } from "./core.ts";
import type { Logs } from "./logs.ts";
import type { Pipelines } from "./pipelines.ts";
import type { Claims } from "./ports.ts";
import type { RunnerRecord } from "./records.ts";
import { endingOf, type Runners, type Session } from "./runners.ts";
import type { Runs } from "./runs.ts";
import { beginTerm, type Term } from "./term.ts";

/** What a link hands its frames to. */
export interface LinkDeps {
  core: Core;
  runners: Runners;
  runs: Runs;
  pipelines: Pipelines;
  logs: Logs;
  /** The terms that are on, by agentId. */
  terms: Map<string, Term>;
  /** A runner's view has changed. */
  changed(agentId: string): void;
}

/** One connection as the control plane watches it. */
export interface Link {
  readonly claims: Claims;
  /** Reads until the connection is over. */
  run(): Promise<void>;
  /** Looks at the clock: gives up what is silent, refuses what is late or expired. */
  check(): void;
  close(code: number, reason: string): void;
  /** Says when to come back, and closes. */
  goodbye(afterSeconds: number): Promise<void>;
}

/** Log chunks wait for their readers, and statuses must still find room beside them. */
const MAX_IN_HAND = 1_024;
/** A peer that sends and never reads would have its answers pile up here. */
const MAX_BUFFERED_BYTES = 32 * 1024 * 1024;
const GOODBYE_MS = 2_000;

/** Makes the link over an open connection whose token was verified. */
export function createLink(connection: Connection, claims: Claims, deps: LinkDeps): Link {
  const { core, runners, runs, pipelines, logs, terms, changed } = deps;
  const { storage, clock, log, random } = core;
  const agentId = claims.subject;
  const openedAt = clock.now();
  const silenceMs = core.heartbeatSeconds * 2_000;
  let session: Session | undefined, term: Term | undefined;

  const handlers: Handlers<ToControlPlane> = {
    "runner.hello": hello,
    "runner.heartbeat": async (params) => {
      const now = clock.now();
      const { inFlight, oldestUnacknowledgedSeconds } = params;
      const clockSkewSeconds = Math.round(Date.parse(params.clock) - now) / 1000;
      // Not the answer to a heartbeat must wait for the disk, but what is shown.
      void remember(known(), {
        lastHeartbeatAt: instant(clock),
        heartbeat: { inFlight, oldestUnacknowledgedSeconds, clockSkewSeconds },
      });
      return await Promise.resolve({ clock: instant(clock), standbys: runners.presence(agentId).standbys });
    },
    "runs.snapshot": async (page) => {
      return await currentTerm()?.runsPage(page) ?? { decisions: [] };
    },
    "pipelines.snapshot": async (page) => {
      return await currentTerm()?.pipelinesPage(page) ?? { decisions: [] };
    },
    "run.status": async (status) => {
      known();
      await runs.tell(agentId, status);
      return {};
    },
    "log.chunk": async (chunk) => {
      known();
      return await logs.chunk(agentId, chunk);
    },
    "pipeline.event": async (event) => {
      known();
      await pipelines.event(agentId, event);
      return {};
    },
  };
  const peer = createPeer({
    connection,
    incoming: TO_CONTROL_PLANE,
    outgoing: TO_RUNNER,
    handlers,
    clock,
    log: (level, event, fields) => log(level, event, { agentId, ...fields }),
    signal: core.signal,
    frameBytes: LIMITS.frameBytes,
    maxInHand: MAX_IN_HAND,
  });

  return { claims, run, check, close: (code, reason) => connection.close(code, reason), goodbye };

  async function hello(
    params: Params<ToControlPlane, "runner.hello">,
  ): Promise<Result<ToControlPlane, "runner.hello">> {
    if (params.agentId !== agentId) {
      connection.close(CLOSES.tokenRefused.code, `the token is for ${agentId}, the hello for ${params.agentId}`);
      throw new Fault("denied", "Cannot let the runner in: its token is for another agentId", { rule: "sub" });
    }
    if (session !== undefined && session.hello.instanceId !== params.instanceId) {
      throw new Fault("invalid", "Cannot take runner.hello: it is another instance's", { path: "instanceId" });
    }
    // Revoked since the upgrade: from here on the watch sees it.
    if ((await storage.token(claims.jti))?.revokedAt !== undefined) {
      connection.close(CLOSES.tokenRefused.code, "the token was revoked");
      throw new Fault("denied", "Cannot let the runner in: its token was revoked", { rule: "jti" });
    }
    peer.limitFrames(params.frameBytes);
    endTerm();
    const isFirst = session === undefined;
    const mine: Session = session === undefined
      ? { sessionId: random.uuid(), agentId, hello: params, claims, peer, connection, connectedAt: instant(clock) }
      : Object.assign(session, { hello: params });
    const role = admit(mine);
    session = mine;
    const [lastRun, full] = await Promise.all([storage.lastRun(), needsFull()]);
    if (role === "active" && runners.isActive(mine)) {
      term = beginTerm({ core, runs, pipelines, session: mine, lastRun, full });
      terms.set(agentId, term);
    }
    await remember(mine, isFirst ? { hello: params, connectedAt: mine.connectedAt } : { hello: params });
    log("info", "runner.hello", { agentId, instanceId: params.instanceId, state: role, version: params.version });
    return {
      sessionId: mine.sessionId,
      heartbeatSeconds: core.heartbeatSeconds,
      limits: { frameBytes: LIMITS.frameBytes, snapshotPage: LIMITS.snapshotPage },
      serverVersion: core.version,
      clock: instant(clock),
      full: role === "active" && full,
    };
  }

  function admit(mine: Session): "active" | "standby" {
    try {
      return runners.admit(mine);
    } catch (error) {
      log("warn", "runner.two_instances", { agentId, instanceId: mine.hello.instanceId });
      connection.close(CLOSES.twoInstances.code, CLOSES.twoInstances.meaning);
      changed(agentId);
      throw error;
    }
  }

  function known(): Session {
    if (session !== undefined) return session;
    throw new Fault("invalid", "Cannot take this: runner.hello comes first", { path: "method" });
  }

  /** None for a standby, and for an instance that another one has taken the place of: it decides nothing any more. */
  function currentTerm(): Term | undefined {
    return runners.isActive(known()) ? term : undefined;
  }

  async function needsFull(): Promise<boolean> {
    const [restoredAt, record] = await Promise.all([storage.restoredAt(), storage.runner(agentId)]);
    return restoredAt !== undefined && (record?.fullSnapshotAt ?? "") < restoredAt;
  }

  /** What a standby says of itself is not the runner's: only the active instance is shown. */
  async function remember(of: Session, facts: Partial<RunnerRecord>): Promise<void> {
    if (!runners.isActive(of)) return changed(agentId);
    await writeRunner(facts);
  }

  async function writeRunner(facts: Partial<RunnerRecord>): Promise<void> {
    try {
      await storage.write(async (tx) => {
        const before = await tx.runner(agentId) ?? { agentId, firstSeenAt: instant(clock) };
        await tx.putRunner({ ...before, ...facts });
      });
    } catch (error) {
      log("error", "runner.not_written", { agentId, error });
    }
    changed(agentId);
  }

  async function run(): Promise<void> {
    const closed = await peer.run();
    await over(closed);
  }

  async function over({ code, reason }: Closed): Promise<void> {
    endTerm();
    log("info", "runner.closed", { agentId, code, reason });
    if (session === undefined) return;
    const wasActive = runners.leave(session);
    if (wasActive) await writeRunner({ disconnectedAt: instant(clock), disconnectReason: endingOf(code, reason) });
    else changed(agentId);
  }

  function endTerm(): void {
    term?.end();
    if (term !== undefined && terms.get(agentId) === term) terms.delete(agentId);
    term = undefined;
  }

  function check(): void {
    const now = clock.now();
    if (now >= claims.expiresAt) return connection.close(CLOSES.tokenRefused.code, "the token has expired");
    if (session === undefined && now - openedAt > core.helloSeconds * 1000) {
      return connection.close(CLOSES.helloTimeout.code, "no runner.hello came");
    }
    if (session !== undefined && now - peer.heardAt() > silenceMs) {
      return connection.abandon(`nothing was heard for ${Math.round((now - peer.heardAt()) / 1000)} s`);
    }
    if (connection.buffered > MAX_BUFFERED_BYTES) connection.abandon("it does not read what is sent to it");
  }

  async function goodbye(afterSeconds: number): Promise<void> {
    if (session !== undefined) {
      await peer.request("server.goodbye", { afterSeconds }, { signal: core.signal, timeoutMs: GOODBYE_MS })
        .catch(() => {});
    }
    connection.close(CLOSES.goingAway.code, CLOSES.goingAway.meaning);
  }
}
