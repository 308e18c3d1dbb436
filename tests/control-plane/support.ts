/** A control plane in this process on port 0, and a scripted runner that speaks the protocol over a real WebSocket. */
import { systemClock, systemRandom } from "../../adapters/clock.ts";
import { connectionOf } from "../../control-plane/adapters/http/connection.ts";
import { type RunningControlPlane, startControlPlane } from "../../control-plane/adapters/cli/compose.ts";
import type { Claims } from "../../control-plane/mod/ports.ts";
import type { Closed, Connection, Log } from "../../mod/ports.ts";
import {
  LIMITS,
  type Params,
  type RunStatus,
  SUBPROTOCOL,
  TO_CONTROL_PLANE,
  TO_RUNNER,
  type ToControlPlane,
  type ToRunner,
} from "../../mod/protocol/methods.ts";
import { createPeer, type Handlers, type Peer } from "../../mod/protocol/peer.ts";

export const quiet: Log = (): void => {};

export interface Server extends RunningControlPlane {
  data: string;
  url: string;
  token(subject: string, claims?: Partial<Claims>): Promise<string>;
  /** REST as an operator; `path` below /api/v1. */
  rest(method: string, path: string, body?: unknown): Promise<{ status: number; body: Any }>;
  [Symbol.asyncDispose](): Promise<void>;
}

// What REST answers is checked by the assertions themselves.
// deno-lint-ignore no-explicit-any
export type Any = any;

/** Starts one over a folder of its own (or a given one, which then stays). */
export async function startServer(
  { heartbeatSeconds = 15, helloSeconds = 10, data, open = false }: {
    heartbeatSeconds?: number;
    helloSeconds?: number;
    data?: string;
    open?: boolean;
  } = {},
): Promise<Server> {
  const folder = data ?? await Deno.makeTempDir();
  const running = startControlPlane({
    data: folder,
    hostname: "127.0.0.1",
    port: 0,
    heartbeatSeconds,
    helloSeconds,
    openOnLoopback: open,
    log: quiet,
  });
  const url = `http://127.0.0.1:${running.port}`;
  const token = async (subject: string, claims: Partial<Claims> = {}) => {
    const issuedAt = Date.now();
    const all: Claims = {
      jti: crypto.randomUUID(),
      scope: "runner",
      subject,
      issuedAt,
      expiresAt: issuedAt + 3_600_000,
      ...claims,
    };
    const { jti, scope } = all;
    const [from, to] = [all.issuedAt, all.expiresAt].map((ms) => new Date(ms).toISOString()) as [string, string];
    await running.storage.write((tx) => tx.putToken({ jti, scope, subject, issuedAt: from, expiresAt: to }));
    return await running.tokens.sign(all);
  };
  const operator = await token("tester", { scope: "operator" });
  return {
    ...running,
    data: folder,
    url,
    token,
    async rest(method, path, body) {
      const headers = { authorization: `Bearer ${operator}`, "content-type": "application/json" };
      const response = await fetch(`${url}/api/v1${path}`, {
        method,
        headers,
        ...body === undefined ? {} : { body: JSON.stringify(body) },
      });
      const text = await response.text();
      return { status: response.status, body: text.startsWith("{") ? JSON.parse(text) : text };
    },
    async [Symbol.asyncDispose]() {
      await running.stop();
      if (data === undefined) await Deno.remove(folder, { recursive: true });
    },
  };
}

export interface ScriptedRunner {
  peer: Peer<ToControlPlane>;
  connection: Connection;
  /** Requests of the control plane, in order. */
  calls: { method: string; params: Any }[];
  called(method: string): Any[];
  closed: Promise<Closed>;
  ask<K extends keyof ToControlPlane & string>(method: K, params: Params<ToControlPlane, K>): Promise<Any>;
  /** hello and both snapshots, as a runner with nothing would tell them; answers hello's answer. */
  begin(options?: Begin): Promise<Any>;
  status(status: Partial<RunStatus> & Pick<RunStatus, "runId" | "state">): Promise<Any>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface Begin {
  hello?: Partial<Params<ToControlPlane, "runner.hello">>;
  runs?: RunStatus[];
  pipelines?: Params<ToControlPlane, "pipelines.snapshot">["pipelines"];
}

/** Connects a runner whose answers are scripted; methods without a script answer that all is well. */
export async function connect(
  server: { url: string },
  token: string,
  { agentId = "a1", script = {} }: { agentId?: string; script?: Partial<Handlers<ToRunner>> } = {},
): Promise<ScriptedRunner> {
  const socket = dial(server, token);
  const connection = await connectionOf(socket);
  const calls: { method: string; params: Any }[] = [];
  const stop = new AbortController();
  const handlers = Object.fromEntries(
    Object.keys(TO_RUNNER).map((method) => [method, (params: Any, context: Any) => {
      calls.push({ method, params });
      const own = script[method as keyof ToRunner] as Any;
      return own === undefined ? Promise.resolve(DEFAULTS[method]?.(params) ?? {}) : own(params, context);
    }]),
  ) as unknown as Handlers<ToRunner>;
  const peer = createPeer({
    connection,
    incoming: TO_RUNNER,
    outgoing: TO_CONTROL_PLANE,
    handlers,
    clock: systemClock,
    log: quiet,
    signal: stop.signal,
    frameBytes: LIMITS.frameBytes,
  });
  peer.limitFrames(LIMITS.frameBytes);
  const closed = peer.run();
  const ask = (method: Any, params: Any) => peer.request(method, params, { signal: stop.signal, timeoutMs: 10_000 });
  return {
    peer,
    connection,
    calls,
    called: (method) => calls.filter((call) => call.method === method).map((call) => call.params),
    closed,
    ask,
    async begin({ hello, runs = [], pipelines = [] } = {}) {
      const welcome = await ask("runner.hello", helloOf(agentId, hello));
      const snapshot = { snapshotId: crypto.randomUUID(), page: 0, last: true };
      const runsAnswer = await ask("runs.snapshot", { ...snapshot, runs });
      const pipelinesAnswer = await ask("pipelines.snapshot", { ...snapshot, pipelines });
      return { ...welcome, runs: runsAnswer, pipelines: pipelinesAnswer };
    },
    status: (status) => ask("run.status", runOf(status)),
    async [Symbol.asyncDispose]() {
      connection.close(1000, "done");
      await closed;
      stop.abort();
    },
  };
}

/** A WebSocket of the protocol, not yet open. */
export function dial({ url }: { url: string }, token: string): WebSocket {
  const options = { protocols: [SUBPROTOCOL], headers: { authorization: `Bearer ${token}` } };
  return new WebSocket(`${url.replace("http", "ws")}/runner/v1/connect`, options as Any);
}

export function helloOf(
  agentId: string,
  more: Partial<Params<ToControlPlane, "runner.hello">> = {},
): Params<ToControlPlane, "runner.hello"> {
  return {
    agentId,
    instanceId: `${agentId}-1`,
    role: "active",
    epoch: 0,
    version: "test",
    engine: { kind: "memory", version: "1", lacks: [] },
    secretsProvider: "file",
    features: [],
    capacity: {},
    clock: now(),
    objectLifeSeconds: 600,
    frameBytes: LIMITS.frameBytes,
    ...more,
  };
}

export function runOf(status: Partial<RunStatus> & Pick<RunStatus, "runId" | "state">): RunStatus {
  return { pipelineId: "p1", revision: 1, kind: "pipeline", origin: "command", times: {}, note: 0, ...status };
}

export function summaryOf(pipelineId: string, revision: number, more: Any = {}): Any {
  return {
    pipelineId,
    revision,
    deployedRevision: revision,
    name: pipelineId,
    type: "metadata",
    enabled: true,
    ...more,
  };
}

/** What PUT pipelines/{id} takes. */
export function pipelineBody(agentId: string, more: Any = {}): Any {
  return { agentId, name: "Sales", type: "metadata", document: "source: {}", ...more };
}

export function now(): string {
  return new Date().toISOString();
}

export const uuid: () => string = systemRandom.uuid;

const DEFAULTS: Record<string, (params: Any) => unknown> = {
  "pipeline.deploy": ({ revision, job }) => summaryOf(job.pipelineId, revision, { enabled: job.enabled }),
  "pipeline.toggle": ({ pipelineId, revision, enabled }) => summaryOf(pipelineId, revision, { enabled }),
  "pipeline.run": ({ runId }) => ({ runId, state: "queued" }),
  "canary.run": ({ runId }) => ({ runId, state: "queued" }),
  "automation.run": ({ runId }) => ({ runId, state: "queued" }),
  "application.run": ({ runId }) => ({ runId, state: "queued" }),
  "run.stop": ({ runId }) => ({ runId, state: "running", stopped: true }),
  "pipeline.stop": () => ({ runIds: [] }),
  "pipeline.status": () => ({ runs: [] }),
  "log.open": ({ streamId, runId }) => ({ streamId, runId }),
};
