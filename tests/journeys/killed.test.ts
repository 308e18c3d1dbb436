/** Programs that are killed with SIGKILL in mid-run come back, and the runs never notice. */
import assert from "node:assert/strict";
import { journey } from "./harness.ts";
import { begun, ledgerOf } from "./programs.ts";
import { verifyFollowed, verifyRuns } from "./verify.ts";
import { until } from "../wait.ts";

const LINES = 400;

journey("the runner is killed with -9 in mid-run", async ({ rest, folder, agentId, runner, gate, measured }) => {
  const [long, away] = [gate("long"), gate("away")];
  await rest.deploy("long", { lines: LINES, pace: 0.1, gate: long.path });
  await rest.deploy("away", { lines: 10, gate: away.path, exit: 3 });
  await rest.deploy("one-by-one", { gate: long.path }, { maxActiveRuns: 1 });
  const [a, b, c] = [await rest.run("long"), await rest.run("away"), await rest.run("one-by-one")];
  const log = rest.follow(a);
  for (const runId of [a, b, c]) await begun(folder, runId);
  const queued = await rest.run("one-by-one");
  await rest.runIs(queued, "queued");
  await rest.runIs(a, "running");
  await until("lines under way", () => log.lines.length > 0);

  await runner.program().kill();
  assert.ok(log.lines.length < LINES, "it was killed in mid-log");
  await rest.runnerIs(agentId, "Inactive");
  // One job ends while nobody watches it.
  await away.open();
  await until("the end of the job", async () => (await ledgerOf(folder, "end")).includes(b));
  const restarted = performance.now();
  await runner.start();
  await rest.runnerIs(agentId, "Active");
  measured(`runner Active ${Math.round(performance.now() - restarted)} ms after its start`);

  const failed = await rest.ended(b);
  assert.equal(failed.diagnostics?.exitCode, 3, "why it failed is known although nobody watched");
  await long.open();
  for (const runId of [a, c, queued]) await rest.ended(runId);
  await verifyRuns(rest, folder, {
    [a]: { state: "success", starts: 1 },
    [b]: { state: "failed", starts: 1 },
    [c]: { state: "success", starts: 1 },
    [queued]: { state: "success", starts: 1 },
  });
  await verifyFollowed(a, log, LINES);
});

journey("the control plane is killed with -9 in mid-run", async (world) => {
  const { rest, folder, agentId, controlPlane, gate, measured } = world;
  const [long, away] = [gate("long"), gate("away")];
  await rest.deploy("long", { lines: LINES, pace: 0.1, gate: long.path });
  await rest.deploy("away", { lines: 10, gate: away.path });
  const [a, b] = [await rest.run("long"), await rest.run("away")];
  const log = rest.follow(a);
  for (const runId of [a, b]) await begun(folder, runId);
  await until("lines under way", () => log.lines.length > 0);

  await controlPlane.program().kill();
  assert.ok(log.lines.length < LINES, "it was killed in mid-log");
  // It begins and ends, as far as the control plane knows, all in its absence.
  await away.open();
  await until("the end of the job", async () => (await ledgerOf(folder, "end")).includes(b));
  const restarted = performance.now();
  await controlPlane.start();
  await rest.runnerIs(agentId, "Active");
  measured(`runner Active ${Math.round(performance.now() - restarted)} ms after the control plane's start`);
  await rest.ended(b);

  // Once more, right behind a command: whether the runner got it or not, it is carried out once.
  const c = await rest.run("away");
  await controlPlane.program().kill();
  await controlPlane.start();
  await rest.ended(c);
  await long.open();
  await rest.ended(a);
  await verifyRuns(rest, folder, {
    [a]: { state: "success", starts: 1 },
    [b]: { state: "success", starts: 1 },
    [c]: { state: "success", starts: 1 },
  });
  await verifyFollowed(a, log, LINES);
});

const OPEN = 50;
const STOPPED = 10;

journey("the control plane is restarted with 50 runs open", async (world) => {
  const { rest, folder, agentId, controlPlane, gate, measured } = world;
  const all = gate("all");
  await rest.deploy("many", { lines: 5, gate: all.path });
  const runs: string[] = [];
  for (let made = 0; made < OPEN; made++) runs.push(await rest.run("many"));
  await until("ten jobs at work", async () => (await ledgerOf(folder, "start")).length >= 10);
  await until("all runs queued or running", async () => (await rest.runs()).every((run) => run.state !== "commanded"));

  await controlPlane.program().kill();
  const restarted = performance.now();
  await controlPlane.start();
  await rest.runnerIs(agentId, "Active");
  measured(`runner Active ${Math.round(performance.now() - restarted)} ms after the start, with ${OPEN} runs open`);

  const began = new Set(await ledgerOf(folder, "start"));
  const toStop = runs.filter((runId) => !began.has(runId)).slice(-STOPPED);
  for (const runId of toStop) await rest.stop(runId);
  for (const runId of toStop) await rest.runIs(runId, "stopped");
  await all.open();
  await until("the end of all runs", async () => (await rest.runs()).every((run) => run.terminal), { lookMs: 200 });
  const isStopped = new Set(toStop);
  await verifyRuns(
    rest,
    folder,
    Object.fromEntries(
      runs.map((runId) => {
        const stopped = isStopped.has(runId);
        return [runId, { state: stopped ? "stopped" as const : "success" as const, starts: stopped ? 0 : 1 }];
      }),
    ),
  );
}, { maxRuns: 10 });
