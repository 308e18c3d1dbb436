/** A runner in memory between a scripted control plane and the memory engine: all real but the wire and the engine. */
import { createMemoryEngine } from "../../adapters/engine/memory.ts";
import { createMemoryCluster } from "../../adapters/engine/memory_cluster.ts";
import { systemClock } from "../../adapters/clock.ts";
import { Fault } from "../../mod/fault.ts";
import { allowAll, type Policy } from "../../mod/flow/policy.ts";
import { createRunner } from "../../mod/flow/runner.ts";
import type { Job } from "../../mod/job.ts";
import type { AuditRecord, Closed, Engine } from "../../mod/ports.ts";
import {
  type Params,
  TO_CONTROL_PLANE,
  TO_RUNNER,
  type ToControlPlane,
  type ToRunner,
} from "../../mod/protocol/methods.ts";
import { createPeer, type Handlers, type Peer } from "../../mod/protocol/peer.ts";
import { createRedactor } from "../../mod/redact.ts";
import { referencesIn } from "../../mod/secrets/document.ts";
import { forever } from "../../mod/waiting.ts";
import { connectionPair, type TestConnection, testLog } from "../fakes/pair.ts";
import { within } from "../wait.ts";

export type Told = {
  [K in keyof ToControlPlane]: { method: K; params: Params<ToControlPlane, K> };
}[keyof ToControlPlane];

export interface Session {
  peer: Peer<ToRunner>;
  /** The control plane's end. */
  connection: TestConnection;
  /** The runner's end: its `sent`, and its `buffered`. */
  far: TestConnection;
  closed: Promise<Closed>;
}

export interface WorldOptions {
  /** Answers in place of the usual ones. */
  answers?: Partial<Handlers<ToControlPlane>>;
  heartbeatSeconds?: number;
  maxConnectionSeconds?: number;
  shutdownGraceSeconds?: number;
  engine?: Engine;
  policy?: Policy;
  full?: boolean;
}

export interface World extends AsyncDisposable {
  told: Told[];
  audit: AuditRecord[];
  events: string[];
  sessions: Session[];
  engine: ReturnType<typeof createMemoryEngine>;
  /** The n-th session, as soon as it is open (hello answered). */
  session(n: number): Promise<Session>;
  /** Waits until what was told satisfies. */
  until(isSo: (told: Told[]) => boolean): Promise<void>;
  states(runId: string): string[];
  runner: ReturnType<typeof createRunner>;
  stop(): Promise<void>;
}

export const inAnHour = (): string => new Date(Date.now() + 3_600_000).toISOString();

export function jobOf(script: unknown, more: Partial<Job> = {}): Job {
  return {
    kind: "pipeline",
    pipelineId: "p",
    name: "P",
    type: "metadata",
    revision: 1,
    document: JSON.stringify(script),
    enabled: true,
    maxActiveRuns: 1,
    ...more,
  };
}

export function createWorld(options: WorldOptions = {}): World {
  const told: Told[] = [], audit: AuditRecord[] = [], sessions: Session[] = [];
  const { log, events } = testLog();
  const cluster = createMemoryCluster(systemClock);
  const engine = createMemoryEngine({ clock: systemClock, cluster });
  const stopping = new AbortController(), over = new AbortController();
  const listeners = new Set<() => void>();
  const heard = <T>(one: Told, answer: () => T): T => {
    told.push(one);
    listeners.forEach((listener) => listener());
    return answer();
  };

  function serve(connection: TestConnection, far: TestConnection): void {
    const clock = () => new Date().toISOString();
    const usual: Handlers<ToControlPlane> = {
      "runner.hello": () =>
        Promise.resolve({
          sessionId: `s${sessions.length}`,
          heartbeatSeconds: options.heartbeatSeconds ?? 0.2,
          limits: { frameBytes: 1 << 20, snapshotPage: 2 },
          serverVersion: "test",
          clock: clock(),
          full: options.full ?? false,
        }),
      "runner.heartbeat": () => Promise.resolve({ clock: clock() }),
      "runs.snapshot": () => Promise.resolve({ decisions: [] }),
      "pipelines.snapshot": () => Promise.resolve({ decisions: [] }),
      "run.status": () => Promise.resolve({}),
      "log.chunk": () => Promise.resolve({ credit: 1 << 20 }),
      "pipeline.event": () => Promise.resolve({}),
      ...options.answers,
    };
    const handlers: Handlers<ToControlPlane> = {
      "runner.hello": (params, context) =>
        heard({ method: "runner.hello", params }, () => usual["runner.hello"](params, context)),
      "runner.heartbeat": (params, context) =>
        heard({ method: "runner.heartbeat", params }, () => usual["runner.heartbeat"](params, context)),
      "runs.snapshot": (params, context) =>
        heard({ method: "runs.snapshot", params }, () => usual["runs.snapshot"](params, context)),
      "pipelines.snapshot": (params, context) =>
        heard({ method: "pipelines.snapshot", params }, () => usual["pipelines.snapshot"](params, context)),
      "run.status": (params, context) =>
        heard({ method: "run.status", params }, () => usual["run.status"](params, context)),
      "log.chunk": (params, context) =>
        heard({ method: "log.chunk", params }, () => usual["log.chunk"](params, context)),
      "pipeline.event": (params, context) =>
        heard({ method: "pipeline.event", params }, () => usual["pipeline.event"](params, context)),
    };
    const peer = createPeer({
      ...{ connection, incoming: TO_CONTROL_PLANE, outgoing: TO_RUNNER, handlers, clock: systemClock, log },
      ...{ signal: over.signal, frameBytes: 1 << 22 },
    });
    peer.limitFrames(1 << 22);
    sessions.push({ peer, connection, far, closed: peer.run() });
  }

  const runner = createRunner({
    agentId: "a",
    instanceId: "i",
    version: "test",
    secretsProvider: "env",
    objectLifeSeconds: 3600,
    reconnectDelaySeconds: 0.05,
    maxConnectionSeconds: options.maxConnectionSeconds ?? 3600,
    shutdownGraceSeconds: options.shutdownGraceSeconds ?? 5,
    channel: {
      dial: () => {
        const [near, far] = connectionPair();
        serve(near, far);
        return Promise.resolve(far);
      },
    },
    tokens: {
      read: () => Promise.resolve("t"),
      changed: forever,
    },
    engine: options.engine ?? engine,
    policy: options.policy ?? allowAll,
    audit: (record) => void audit.push(record),
    secretNames: (document) => Promise.resolve(referencesIn(document)),
    createRedactor,
    clock: systemClock,
    random: { uuid: () => crypto.randomUUID(), float: () => 0.5 },
    log,
  });
  const running = runner.run(stopping.signal);

  async function until(isSo: (told: Told[]) => boolean): Promise<void> {
    while (!isSo(told)) {
      const news = Promise.withResolvers<void>();
      listeners.add(news.resolve);
      await within("what is waited for", news.promise).finally(() => listeners.delete(news.resolve));
    }
  }

  async function stop(): Promise<void> {
    stopping.abort(new Fault("unavailable", "Cannot go on: the test is over"));
    await within("the end of the runner", running);
  }

  return {
    ...{ told, audit, events, sessions, engine, runner, until, stop },
    async session(n) {
      const hellos = (all: Told[]) => all.filter((one) => one.method === "runner.hello").length;
      await until((all) => hellos(all) > n);
      const session = sessions[n];
      if (session === undefined) throw new Error(`there is no session ${n}`);
      return session;
    },
    states: (runId) =>
      told.flatMap((one) => one.method === "run.status" && one.params.runId === runId ? [one.params.state] : []),
    async [Symbol.asyncDispose]() {
      await stop();
      over.abort(new Fault("unavailable", "Cannot go on: the test is over"));
      await engine.close();
    },
  };
}
