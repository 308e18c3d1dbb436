/**
 * A control plane that a test scripts: the server end of the protocol, in this process, on a port of its own. It says
 * yes to everything unless it is told otherwise, and keeps what it hears.
 */
import { createConnection } from "../../adapters/channel/connection.ts";
import { systemClock } from "../../adapters/clock.ts";
import type { Closed, Connection } from "../../mod/ports.ts";
import {
  LIMITS,
  type Params,
  type Result,
  type RunStatus,
  SUBPROTOCOL,
  TO_CONTROL_PLANE,
  TO_RUNNER,
  type ToControlPlane,
  type ToRunner,
} from "../../mod/protocol/methods.ts";
import { createPeer, type Handlers, type Peer } from "../../mod/protocol/peer.ts";

/** Everything may be left out. */
export interface FakeControlPlaneOptions {
  /** Default 1. */
  heartbeatSeconds?: number;
  /** Asks for acknowledged runs too in the first snapshot. */
  full?: boolean;
  /** In place of the handlers that say yes. */
  handlers?: Partial<Handlers<ToControlPlane>>;
  /** The HTTP status that refuses an upgrade; undefined lets it through. */
  refuse?: (request: Request) => number | undefined;
  /** 0 takes a free one. */
  port?: number;
  /** The largest frame that it takes, and says so in hello's answer. */
  frameBytes?: number;
}

/** One connection of a runner. */
export interface FakeSession {
  hello?: Params<ToControlPlane, "runner.hello">;
  peer: Peer<ToRunner>;
  /** For frames that no peer would send. */
  connection: Connection;
  /** The bearer token that it came with. */
  token: string;
  closed: Promise<Closed>;
}

/** A running one. */
export interface FakeControlPlane extends AsyncDisposable {
  /** For SERVER_URL. */
  readonly url: string;
  readonly port: number;
  /** Every connection, the oldest first. */
  readonly sessions: FakeSession[];
  /** Every status in the order of arrival, repeats included, those of snapshots too. */
  readonly statuses: RunStatus[];
  /** The deployed pipelines as the last snapshot told them. */
  readonly pipelines: Params<ToControlPlane, "pipelines.snapshot">["pipelines"];
  /** Chunks of logs in the order of arrival. */
  readonly chunks: Params<ToControlPlane, "log.chunk">[];
  /** How often each method came. */
  readonly calls: Map<string, number>;
  /** The newest session after its hello and both snapshots; waits for one. */
  session(signal?: AbortSignal): Promise<FakeSession>;
  /** Asks something of the runner on the newest session. Default patience 30 s. */
  request<K extends keyof ToRunner & string>(method: K, params: Params<ToRunner, K>): Promise<Result<ToRunner, K>>;
}

/** Starts it; dispose closes every connection. */
export function startControlPlane(options: FakeControlPlaneOptions = {}): FakeControlPlane {
  const { heartbeatSeconds = 1, full = false, frameBytes = LIMITS.frameBytes } = options;
  const over = new AbortController();
  const sessions: FakeSession[] = [];
  const statuses: RunStatus[] = [];
  const pipelines: FakeControlPlane["pipelines"] = [];
  const chunks: FakeControlPlane["chunks"] = [];
  const calls = new Map<string, number>();
  const ready = new Set<FakeSession>();
  const reading = new Set<Promise<unknown>>();
  let wake = Promise.withResolvers<void>();

  const server = Deno.serve({ hostname: "127.0.0.1", port: options.port ?? 0, onListen: () => {} }, (request) => {
    const status = options.refuse?.(request);
    if (status !== undefined) return new Response(null, { status });
    if (!(request.headers.get("sec-websocket-protocol") ?? "").split(/\s*,\s*/).includes(SUBPROTOCOL)) {
      return new Response(null, { status: 426 });
    }
    const { socket, response } = Deno.upgradeWebSocket(request, { protocol: SUBPROTOCOL, idleTimeout: 0 });
    const token = (request.headers.get("authorization") ?? "").replace(/^Bearer /, "");
    socket.onopen = () => accept(socket, token);
    return response;
  });

  return {
    url: `ws://127.0.0.1:${server.addr.port}`,
    port: server.addr.port,
    sessions,
    statuses,
    pipelines,
    chunks,
    calls,
    session,
    request: async (method, params) => (await session()).peer.request(method, params, { signal: over.signal }),
    async [Symbol.asyncDispose]() {
      over.abort(new Error("the test is over"));
      for (const { connection } of sessions) connection.close(4400, "the test is over");
      await Promise.all(reading);
      await server.shutdown();
    },
  };

  async function session(signal?: AbortSignal): Promise<FakeSession> {
    for (;;) {
      const newest = [...ready].at(-1);
      if (newest !== undefined) return newest;
      signal?.throwIfAborted();
      await wake.promise;
    }
  }

  function accept(socket: WebSocket, token: string): void {
    const connection = createConnection(socket, systemClock);
    const session: FakeSession = {
      connection,
      token,
      closed: connection.closed,
      peer: createPeer({
        connection,
        incoming: TO_CONTROL_PLANE,
        outgoing: TO_RUNNER,
        handlers: counted({ ...agreeable(() => session), ...options.handlers }),
        clock: systemClock,
        log: () => {},
        signal: over.signal,
        frameBytes,
      }),
    };
    sessions.push(session);
    const read = session.peer.run().catch(() => {}).finally(() => {
      ready.delete(session);
      reading.delete(read);
    });
    reading.add(read);
  }

  /** Handlers that say yes to everything. */
  function agreeable(of: () => FakeSession): Handlers<ToControlPlane> {
    const clock = () => new Date(systemClock.now()).toISOString();
    return {
      "runner.hello": (hello) => {
        of().hello = hello;
        of().peer.limitFrames(hello.frameBytes);
        const limits = { frameBytes, snapshotPage: LIMITS.snapshotPage };
        // An engine without jobs tells no snapshots: its session is as ready as it will ever be.
        if (hello.engine.lacks.includes("jobs")) arrive(of());
        const sessionId = String(sessions.length);
        return Promise.resolve({ sessionId, heartbeatSeconds, limits, serverVersion: "fake", clock: clock(), full });
      },
      "runner.heartbeat": () => Promise.resolve({ clock: clock() }),
      "runs.snapshot": ({ runs }) => {
        statuses.push(...runs);
        return Promise.resolve({ decisions: runs.map(({ runId }) => ({ runId, verdict: "keep" as const })) });
      },
      "pipelines.snapshot": ({ pipelines: told, page, last }) => {
        if (page === 0) pipelines.length = 0;
        pipelines.push(...told);
        if (last) arrive(of());
        return Promise.resolve({
          decisions: told.map(({ pipelineId }) => ({ pipelineId, verdict: "keep" as const })),
        });
      },
      "run.status": (status) => {
        statuses.push(status);
        return Promise.resolve({});
      },
      "log.chunk": (chunk) => {
        chunks.push(chunk);
        const credit = (chunk.lines ?? []).reduce((sum, line) => sum + new TextEncoder().encode(line).length + 1, 0);
        return Promise.resolve({ credit });
      },
      "pipeline.event": () => Promise.resolve({}),
    };
  }

  function counted(handlers: Handlers<ToControlPlane>): Handlers<ToControlPlane> {
    const entries = Object.entries(handlers).map(([method, handler]) => [
      method,
      (...args: Parameters<typeof handler>) => {
        calls.set(method, (calls.get(method) ?? 0) + 1);
        // Method and handler come from the same row; the compiler cannot follow a dynamic key.
        return handler(...args as [never, never]);
      },
    ]);
    return Object.fromEntries(entries);
  }

  function arrive(session: FakeSession): void {
    ready.add(session);
    wake.resolve();
    wake = Promise.withResolvers<void>();
  }
}
