/** The storm against the control plane: a real process with its database, over real sockets, with a real token. */
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { LIMITS, SUBPROTOCOL, TO_CONTROL_PLANE } from "../../mod/protocol/methods.ts";
import { controlPlaneOn } from "../journeys/programs.ts";
import { createRest } from "../journeys/rest.ts";
import { within } from "../wait.ts";
import type { Target } from "./assault.ts";
import { complaintsIn } from "./complaints.ts";
import { type FarEnd, farEndOf } from "./far_end.ts";
import { framesFor, OVERSIZED } from "./frames.ts";
import { highWaterMib } from "./memory.ts";
import type { Verdict } from "./oracle.ts";
import { storm, stormSettings, told } from "./storm.ts";
import { say } from "./telling.ts";

const safe = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

const AGENT_ID = "fuzz";
const INSTANCE_ID = "the-instance";
const RUN_IDS = Array.from({ length: 64 }, (_, at) => `00000000-0000-4000-8000-${String(at).padStart(12, "0")}`);
const NAMES = {
  agentId: fc.constant(AGENT_ID),
  instanceId: fc.constant(INSTANCE_ID),
  runId: fc.constantFrom(...RUN_IDS),
  pipelineId: fc.constantFrom("known", "a", "b/c", "..", "\u0000", "\ud800", "__proto__"),
  revision: fc.nat(5),
  snapshotId: fc.constantFrom("s", "t"),
  streamId: fc.constantFrom("s", "\ud800"),
};

const { seed, frames } = stormSettings();
Deno.test(
  { name: `fuzz: no frame breaks the control plane (property, ${told({ seed, frames })})`, ...safe },
  async () => {
    await using stage = await startStage();
    const { controlPlane, rest } = stage;
    // It will be sent to the runner again and again; the answers are the storm's.
    await rest.call("PUT", "/pipelines/known", {
      ...{ agentId: AGENT_ID, name: "known", type: "metadata", enabled: true, maxActiveRuns: 1, document: "a: 1" },
    });
    const target: Target = {
      methods: TO_CONTROL_PLANE,
      frames: framesFor(TO_CONTROL_PLANE, () => NAMES),
      open: stage.open,
      closesOver: closingHello,
    };
    const began = performance.now();
    const tally = await storm(target, { seed, frames, dead: stage.dead }).catch((error) => {
      throw new Error(`${error.message}\n${controlPlane.output().slice(-4000)}`, { cause: error });
    });
    const seconds = Math.round((performance.now() - began) / 1000);
    say(`control plane: ${tally.frames} frames in ${seconds} s`, tally);

    const session = await stage.open();
    await works(session, stage);
    // Whatever was adopted is shown: as JSON, and on the page.
    const shown = await rest.runs();
    for (const path of ["/", ...shown.slice(0, 20).map(({ runId }) => `/runs/${runId}`)]) {
      const page = await fetch(`${controlPlane.address()}${path}`);
      await page.body?.cancel();
      assert.equal(page.status, 200, path);
    }
    await leave(session);
    assert.deepEqual(complaintsIn(controlPlane.output()), []);
  },
);

Deno.test({ name: "fuzz: 5 MiB frames do not fill the control plane's memory of 128 MiB", ...safe }, async () => {
  await using stage = await startStage();
  const { controlPlane } = stage;
  const text = "x".repeat(OVERSIZED);
  const frames = [text, `{"jsonrpc":"2.0","id":1,"method":"no.such","params":"${text}"}`, "[".repeat(OVERSIZED)];
  for (const frame of [...frames, ...frames]) {
    const session = await stage.open();
    session.send(frame);
    assert.equal((await within("the close", session.closed)).code, 4413);
  }
  const session = await stage.open();
  await works(session, stage);
  await leave(session);
  const mib = await highWaterMib(controlPlane.program().pid);
  say(`control plane: after ${2 * frames.length} frames of 5 MiB the highest RSS was ${mib.toFixed(0)} MiB`);
  assert.ok(mib < 128, `${mib} MiB`);
  assert.deepEqual(complaintsIn(controlPlane.output()), []);
});

/** A hello for another agent than the token's ends the session with 4401. */
function closingHello(verdict: Verdict): number | undefined {
  if (verdict.kind === "error" || verdict.method !== "runner.hello") return undefined;
  // Its schema took it, as the verdict says.
  const { agentId } = verdict.params as { agentId: string };
  return agentId === AGENT_ID ? undefined : 4401;
}

interface Stage extends AsyncDisposable {
  controlPlane: ReturnType<typeof controlPlaneOn>;
  rest: ReturnType<typeof createRest>;
  /** A session past its hello and both snapshots. */
  open(): Promise<FarEnd>;
  dead: AbortSignal;
}

async function startStage(): Promise<Stage> {
  const folder = await Deno.makeTempDir({ prefix: "fuzz-" });
  const controlPlane = controlPlaneOn(`${folder}/data`);
  await controlPlane.start();
  const token = await controlPlane.issue(AGENT_ID);
  const dead = new AbortController();
  let isOver = false;
  const watched = controlPlane.program().exited.then(({ code }) => {
    const story = `the control plane has ended with ${code}:\n${controlPlane.output().slice(-4000)}`;
    if (!isOver) dead.abort(new Error(story));
  });
  return {
    controlPlane,
    rest: createRest(controlPlane.address, AGENT_ID),
    dead: dead.signal,
    async open() {
      const socket = new WebSocket(`ws://127.0.0.1:${controlPlane.port()}/runner/v1/connect`, {
        protocols: [SUBPROTOCOL],
        headers: { authorization: `Bearer ${token}` },
      });
      const opened = Promise.withResolvers<void>();
      socket.onopen = () => opened.resolve();
      const end = farEndOf(socket, () => undefined);
      await Promise.race([opened.promise, end.closed]);
      await end.request("runner.hello", hello());
      await end.request("runs.snapshot", { snapshotId: "first", page: 0, last: true, runs: [] });
      await end.request("pipelines.snapshot", { snapshotId: "first", page: 0, last: true, pipelines: [] });
      return end;
    },
    async [Symbol.asyncDispose]() {
      isOver = true;
      await controlPlane.program().kill();
      await watched;
      await Deno.remove(folder, { recursive: true });
    },
  };
}

function hello(): Record<string, unknown> {
  return {
    agentId: AGENT_ID,
    instanceId: INSTANCE_ID,
    role: "active",
    epoch: 0,
    version: "1",
    engine: { kind: "fuzz", version: "1", lacks: [] },
    secretsProvider: "env",
    features: [],
    capacity: {},
    clock: new Date().toISOString(),
    objectLifeSeconds: 600,
    frameBytes: LIMITS.frameBytes,
  };
}

/** A normal session: a heartbeat is answered, a status is written down and shown, the runner counts as Active. */
async function works(session: FarEnd, { rest }: Stage): Promise<void> {
  const now = new Date().toISOString();
  await session.request("runner.heartbeat", { inFlight: 1, oldestUnacknowledgedSeconds: 0, clock: now });
  const runId = crypto.randomUUID();
  const run = { runId, pipelineId: "known", revision: 1, kind: "pipeline", origin: "schedule", note: 0 };
  await session.request("run.status", { ...run, state: "success", times: { created: now, finished: now } });
  assert.equal((await rest.detail(runId)).state, "success");
  assert.equal((await rest.runner(AGENT_ID)).status, "Active");
}

async function leave(session: FarEnd): Promise<void> {
  session.close(1000);
  await within("the close", session.closed);
}
