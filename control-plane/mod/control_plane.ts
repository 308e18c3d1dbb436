/** The control plane's core put together: connections in, commands out, and a watch over both. */
import type { Connection } from "../../mod/ports.ts";
import { CLOSES } from "../../mod/protocol/closes.ts";
import type { Core } from "./core.ts";
import type { Feed } from "./feed.ts";
import { createLink, type Link } from "./link.ts";
import { createLogs, type Logs } from "./logs.ts";
import { createOperations, type Operations } from "./operations.ts";
import { createPipelines } from "./pipelines.ts";
import type { Claims } from "./ports.ts";
import { createRunners } from "./runners.ts";
import { createRuns } from "./runs.ts";
import type { Term } from "./term.ts";
import { createViewsReader, type ViewsReader } from "./views_reader.ts";
import { createVisitors, type Visitors } from "./visitors.ts";

/** The core as its adapters see it. */
export interface ControlPlane {
  /** Serves a runner's connection to its end. The token was verified. */
  accept(connection: Connection, claims: Claims): Promise<void>;
  operations: Operations;
  views: ViewsReader;
  logs: Logs;
  feed: Feed;
  visitors: Visitors;
  /** Watches links and tokens until the signal aborts. */
  watch(signal: AbortSignal): Promise<void>;
  /** Tells every runner to come back after a while, each after another one, and closes. */
  goodbye(): Promise<void>;
}

/** How often links and revocations are looked at, at most. */
const WATCH_MS = 500;
/** Runners come back spread over this long after a restart. */
const SPREAD_SECONDS = 5;

/** Makes the core; nothing happens before the first connection. */
export function createControlPlane(core: Core): ControlPlane {
  const { storage, clock, random, log, feed } = core;
  const links = new Set<Link>();
  const visitors = createVisitors();
  const terms = new Map<string, Term>();
  const runners = createRunners({
    clock,
    silenceMs: core.heartbeatSeconds * 2_000,
    demoted: ({ agentId }) => {
      terms.get(agentId)?.end();
      terms.delete(agentId);
    },
  });
  const views = createViewsReader(storage, runners);
  const runs = createRuns(core);
  const pipelines = createPipelines(core);
  const logs = createLogs(core, runners);
  const operations = createOperations({
    core,
    runners,
    runs,
    pipelines,
    views,
    wake: (agentId, lane) => terms.get(agentId)?.wake(lane),
    settled,
  });
  const deps = { core, runners, runs, pipelines, logs, terms, changed };

  return { accept, operations, views, logs, feed, visitors, watch, goodbye };

  async function accept(connection: Connection, claims: Claims): Promise<void> {
    const link = createLink(connection, claims, deps);
    links.add(link);
    try {
      await link.run();
    } catch (error) {
      // One link's trouble is not the others'.
      log("error", "link.failed", { agentId: claims.subject, error });
      connection.abandon("a defect of the control plane");
    } finally {
      links.delete(link);
    }
  }

  /** The runner has told what it has: before that a pipeline's revision here may be an old one. */
  async function settled(agentId: string): Promise<void> {
    // Between hello and its answer the term has not begun yet.
    while (runners.active(agentId) !== undefined && !terms.has(agentId)) await clock.sleep(10, core.signal);
    await terms.get(agentId)?.opened;
  }

  function changed(agentId: string): void {
    if (!feed.isHeard) return;
    views.runner(agentId).then(
      (data) => data !== undefined && feed.publish({ event: "runner", data }),
      (error) => core.signal.aborted || log("error", "runner.not_shown", { agentId, error }),
    );
  }

  async function watch(signal: AbortSignal): Promise<void> {
    const everyMs = Math.min(WATCH_MS, core.heartbeatSeconds * 250);
    for (let since = WATCH_MS; !signal.aborted; since += everyMs) {
      for (const link of links) link.check();
      visitors.expire(clock.now());
      if (since >= WATCH_MS) {
        since = 0;
        await refuseRevoked().catch((error) => log("error", "tokens.not_watched", { error }));
      }
      await clock.sleep(everyMs, signal).catch(() => {});
    }
  }

  /** The command line revokes in another process: the database is where it shows. */
  async function refuseRevoked(): Promise<void> {
    if (!await storage.changedOutside()) return;
    const revoked = new Set(await storage.revokedTokens());
    visitors.refuse(revoked);
    for (const link of links) {
      if (!revoked.has(link.claims.jti)) continue;
      log("warn", "token.revoked", { agentId: link.claims.subject });
      link.close(CLOSES.tokenRefused.code, "the token was revoked");
    }
  }

  async function goodbye(): Promise<void> {
    await Promise.all([...links].map((link) => link.goodbye(Math.round(random.float() * SPREAD_SECONDS * 10) / 10)));
  }
}
