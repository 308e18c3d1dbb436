/** The link between the programs is cut, or lies: sockets stay open and what is sent vanishes. */
import assert from "node:assert/strict";
import { journey, type World } from "./harness.ts";
import { begun, HEARTBEAT_SECONDS, ledgerOf } from "./programs.ts";
import { type Expected, verifyFollowed, verifyRuns } from "./verify.ts";
import { pause, until } from "../wait.ts";

const LINES = 400;
/** Longer than two heartbeats. */
const OUTAGE_MS = 2_500 * HEARTBEAT_SECONDS;

journey("the link is cut for longer than two heartbeats with data in flight", async (world) => {
  const { rest, folder, agentId, proxy, measured } = world;
  const { a, b, log, finish } = await dataInFlight(world);

  // Short cuts first, one after the other: each backoff is longer than the one before.
  const reconnects: number[] = [];
  for (let cut = 0; cut < 4; cut++) {
    const mark = world.runner.program().mark();
    const at = performance.now();
    proxy.cut();
    await world.runner.event("session.open", mark);
    reconnects.push(performance.now() - at);
  }
  reconnects.sort((one, other) => one - other);
  measured(`reconnects after short cuts: p50 ${ms(reconnects[2])}, longest ${ms(reconnects[3])}`);
  // The long one. A state comes about while nothing can be told.
  proxy.refuse(true);
  proxy.cut();
  await pause(OUTAGE_MS);
  await rest.runnerIs(agentId, "Inactive");
  await world.gate("short").open();
  await until("the end of the job", async () => (await ledgerOf(folder, "end")).includes(b));
  proxy.refuse(false);
  const back = performance.now();
  await rest.runnerIs(agentId, "Active");
  measured(`Active ${Math.round(performance.now() - back)} ms after the link was there again`);

  await finish({ [a]: { state: "success", starts: 1 }, [b]: { state: "success", starts: 1 } });
  await verifyFollowed(a, log, LINES);
});

const HALF_OPEN = {
  "from runner to control plane": { up: true },
  "from control plane to runner": { down: true },
  "in both directions": { up: true, down: true },
};

for (const [name, way] of Object.entries(HALF_OPEN)) {
  journey(`frames are swallowed ${name}, the socket stays open`, async (world) => {
    const { rest, folder, agentId, proxy, runner, measured } = world;
    const { a, b, log, finish } = await dataInFlight(world);

    const mark = runner.program().mark();
    const at = performance.now();
    proxy.swallow(way);
    // Asked for while the link lies; the control plane takes the runner for Active.
    const c = await rest.run("short");
    await world.gate("short").open();
    await until("the end of the job", async () => (await ledgerOf(folder, "end")).includes(b));
    await runner.event("session.open", mark);
    measured(`a new session ${Math.round(performance.now() - at)} ms after the frames began to vanish`);
    assert.ok(proxy.counts.swallowed > 0, "something was swallowed");
    await rest.runnerIs(agentId, "Active");

    await finish({
      [a]: { state: "success", starts: 1 },
      [b]: { state: "success", starts: 1 },
      [c]: { state: "success", starts: 1 },
    });
    await verifyFollowed(a, log, LINES);
  });
}

journey("a stop is asked for while the start has not arrived", async (world) => {
  const { rest, folder, agentId, proxy, runner } = world;
  await rest.deploy("work", { gate: world.gate("never").path });
  const mark = runner.program().mark();
  proxy.swallow({ down: true });
  const runId = await rest.run("work");
  await rest.stop(runId);
  await runner.event("session.open", mark);
  await rest.runnerIs(agentId, "Active");
  await rest.runIs(runId, "stopped");
  await verifyRuns(rest, folder, { [runId]: { state: "stopped", starts: 0 } });
});

journey("a stop is asked for while the start is unanswered", async (world) => {
  const { rest, folder, agentId, proxy, runner } = world;
  await rest.deploy("work", { gate: world.gate("never").path });
  const mark = runner.program().mark();
  proxy.swallow({ up: true });
  // It reaches the runner, and begins; the answer does not come back.
  const runId = await rest.run("work");
  await begun(folder, runId);
  await rest.stop(runId);
  await runner.event("session.open", mark);
  await rest.runnerIs(agentId, "Active");
  await rest.runIs(runId, "stopped");
  await verifyRuns(rest, folder, { [runId]: { state: "stopped", starts: 1 } });
});

/** Two runs at work: one prints and is followed, one waits to end. */
async function dataInFlight({ rest, folder, gate }: World) {
  const long = gate("long");
  await rest.deploy("long", { lines: LINES, pace: 0.1, gate: long.path });
  await rest.deploy("short", { lines: 10, gate: gate("short").path });
  const [a, b] = [await rest.run("long"), await rest.run("short")];
  const log = rest.follow(a);
  for (const runId of [a, b]) await begun(folder, runId);
  await rest.runIs(a, "running");
  await until("lines under way", () => log.lines.length > 0);
  return {
    ...{ a, b, log },
    async finish(expected: Expected): Promise<void> {
      await long.open();
      for (const runId of Object.keys(expected)) await rest.ended(runId);
      await verifyRuns(rest, folder, expected);
    },
  };
}

function ms(value = 0): string {
  return `${Math.round(value)} ms`;
}
