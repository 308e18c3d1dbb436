/** The storm against the runner: a real process with the local engine, over real sockets. */
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { LIMITS, SUBPROTOCOL, TO_RUNNER } from "../../mod/protocol/methods.ts";
import { runnerOn } from "../journeys/programs.ts";
import { until, within } from "../wait.ts";
import type { Target } from "./assault.ts";
import { complaintsIn } from "./complaints.ts";
import { type FarEnd, farEndOf, type Responder } from "./far_end.ts";
import { framesFor, OVERSIZED } from "./frames.ts";
import { highWaterMib } from "./memory.ts";
import { storm, stormSettings, told } from "./storm.ts";
import { say } from "./telling.ts";

const safe = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

/** Starts are never valid here, else each were a process: their deadline has passed, unless a stop overtook them. */
const PAST = "2020-01-01T00:00:00.000Z";
const inTenMinutes = () => new Date(Date.now() + 600_000).toISOString();
/** Its parts can be read, and prove nothing. */
const TOKEN = `${btoa("{}")}.${btoa("{}")}.x`;
const RUN_IDS = Array.from({ length: 64 }, (_, at) => `00000000-0000-4000-8000-${String(at).padStart(12, "0")}`);
const NAMES = {
  runId: fc.constantFrom(...RUN_IDS),
  pipelineId: fc.constantFrom("a", "b/c", "..", "\u0000", "\ud800"),
  revision: fc.nat(3),
  streamId: fc.constantFrom("s", "t", "\ud800"),
  // Once a year, so that nothing begins by itself.
  schedule: fc.constantFrom("0 0 1 1 *", "never", "* * 31 2 *"),
  timezone: fc.constantFrom("UTC", "Europe/Berlin", "Nowhere/At all"),
  document: fc.constantFrom("{}", "a: [", "a: &a [*a]", "secret: secret:/x", "\u0000", "\ud800"),
};
const namesOf = (method: string) => ({
  ...NAMES,
  notAfter: fc.constantFrom(method === "run.stop" ? inTenMinutes() : PAST),
});

const { seed, frames } = stormSettings();
Deno.test({ name: `fuzz: no frame breaks the runner (property, ${told({ seed, frames })})`, ...safe }, async () => {
  await using stage = await startStage();
  const { runner, sessions } = stage;
  const target: Target = {
    methods: TO_RUNNER,
    frames: framesFor(TO_RUNNER, namesOf),
    open: () => sessions.next(),
    // The runner is to come back at once, not after a backoff that grows.
    beforeClose: (end) => end.request("server.goodbye", { afterSeconds: 0 }),
  };
  const began = performance.now();
  const tally = await storm(target, { seed, frames, dead: stage.dead }).catch((error) => {
    throw new Error(`${error.message}\n${runner.output().slice(-4000)}`, { cause: error });
  });
  say(`runner: ${tally.frames} frames in ${Math.round((performance.now() - began) / 1000)} s`, tally);

  const session = await within("a session after the storm", sessions.next());
  await works(session, stage.statuses);
  assert.deepEqual(complaintsIn(runner.output()), []);
});

Deno.test({ name: "fuzz: 5 MiB frames do not fill the runner's memory of 128 MiB", ...safe }, async () => {
  await using stage = await startStage({ DENO_V8_FLAGS: "--max-semi-space-size=2,--max-old-space-size=96" });
  const { runner, sessions } = stage;
  const text = "x".repeat(OVERSIZED);
  const wide = "\u4e2d".repeat(OVERSIZED / 3 + 1);
  const frames = [text, wide, `{"jsonrpc":"2.0","id":1,"method":"no.such","params":"${text}"}`, "[".repeat(OVERSIZED)];
  for (const frame of [...frames, ...frames]) {
    const session = await within("a session", sessions.next());
    await session.request("server.goodbye", { afterSeconds: 0 });
    session.send(frame);
    assert.equal((await within("the close", session.closed)).code, 4413);
  }
  await works(await within("a session after them", sessions.next()), stage.statuses);
  const mib = await highWaterMib(runner.program().pid);
  say(`runner: after ${2 * frames.length} frames of 5 MiB the highest RSS was ${mib.toFixed(0)} MiB`);
  assert.ok(mib < 128, `${mib} MiB`);
  assert.deepEqual(complaintsIn(runner.output()), []);
});

interface Stage extends AsyncDisposable {
  runner: Awaited<ReturnType<typeof runnerOn>>;
  sessions: { next(): Promise<FarEnd> };
  /** Told states by runId. */
  statuses: Map<string, string[]>;
  dead: AbortSignal;
}

/** A server that speaks as the control plane, with a runner that dials it. */
async function startStage(env: Record<string, string> = {}): Promise<Stage> {
  const folder = await Deno.makeTempDir({ prefix: "fuzz-" });
  const statuses = new Map<string, string[]>();
  const ready: FarEnd[] = [];
  let wake = Promise.withResolvers<void>();
  const dead = new AbortController();
  const clock = () => new Date().toISOString();
  const limits = { frameBytes: LIMITS.frameBytes, snapshotPage: LIMITS.snapshotPage };
  const respond: Responder = (method, params, end) => {
    const given = params as Record<string, unknown>;
    switch (method) {
      case "runner.hello":
        return { sessionId: "s", heartbeatSeconds: 1, limits, serverVersion: "fuzz", clock: clock(), full: false };
      case "runner.heartbeat":
        // Once the session stands, left to the storm: so there is a request that its responses answer.
        return end.isReady ? undefined : { clock: clock() };
      case "pipelines.snapshot":
        if (given.last === true) {
          end.isReady = true;
          ready.push(end);
          wake.resolve();
        }
        return { decisions: [] };
      case "runs.snapshot":
        return { decisions: [] };
      case "run.status": {
        const runId = String(given.runId);
        statuses.set(runId, [...statuses.get(runId) ?? [], String(given.state)]);
        return {};
      }
      case "log.chunk":
        return { credit: 65536 };
      default:
        return {};
    }
  };
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    const { socket, response } = Deno.upgradeWebSocket(request, { protocol: SUBPROTOCOL, idleTimeout: 0 });
    farEndOf(socket, respond);
    return response;
  });
  const runner = await runnerOn({ agentId: "fuzz", port: server.addr.port, folder, token: TOKEN, env });
  await runner.start();
  let isOver = false;
  const watched = runner.program().exited.then(({ code }) => {
    if (!isOver) dead.abort(new Error(`the runner has ended with ${code}:\n${runner.output().slice(-4000)}`));
  });
  return {
    runner,
    statuses,
    dead: dead.signal,
    sessions: {
      async next() {
        for (;;) {
          const session = ready.shift();
          if (session !== undefined && !session.isClosed()) return session;
          if (session !== undefined) continue;
          wake = Promise.withResolvers<void>();
          await wake.promise;
        }
      },
    },
    async [Symbol.asyncDispose]() {
      isOver = true;
      await runner.program().kill();
      await watched;
      await server.shutdown();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

/** A normal session: a command goes through the whole chain. */
async function works(session: FarEnd, statuses: Map<string, string[]>): Promise<void> {
  const runId = crypto.randomUUID();
  await session.request("service.status", {});
  await session.request("canary.run", { runId, notAfter: inTenMinutes() });
  await until("the canary's end", () => statuses.get(runId)?.at(-1) === "success");
}
