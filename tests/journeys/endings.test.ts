/** Programs that are asked to stop say goodbye, and leave nothing untold. */
import assert from "node:assert/strict";
import { isTerminal } from "../../mod/run.ts";
import { journey, scripted } from "./harness.ts";
import { begun, ledgerOf } from "./programs.ts";
import { verifyFollowed, verifyRuns } from "./verify.ts";
import { until, within } from "../wait.ts";

const LINES = 300;

journey("both programs are asked to stop, and started again", async (world) => {
  const { rest, folder, agentId, runner, controlPlane, gate, measured } = world;
  const long = gate("long");
  await rest.deploy("long", { lines: LINES, pace: 0.1, gate: long.path });
  const runId = await rest.run("long");
  const log = rest.follow(runId);
  await begun(folder, runId);
  await rest.runIs(runId, "running");

  const mark = runner.program().mark();
  let at = performance.now();
  assert.equal(await controlPlane.program().terminate(), 0);
  measured(`the control plane was gone ${Math.round(performance.now() - at)} ms after SIGTERM`);
  const goodbye = await runner.event("link.goodbye", mark);
  assert.equal(goodbye.code, 4400);
  await controlPlane.start();
  await rest.runnerIs(agentId, "Active");

  at = performance.now();
  assert.equal(await runner.program().terminate(), 0);
  measured(`the runner was gone ${Math.round(performance.now() - at)} ms after SIGTERM`);
  await rest.runnerIs(agentId, "Inactive", /stopped/);
  assert.ok(!(await ledgerOf(folder, "end")).includes(runId), "the job goes on without it");
  await runner.start();
  await rest.runnerIs(agentId, "Active");
  await long.open();
  await rest.ended(runId);
  await verifyRuns(rest, folder, { [runId]: { state: "success", starts: 1 } });
  await verifyFollowed(runId, log, LINES);
});

/** The answer to the terminal status, held back until the runner was asked to stop. */
const held = Promise.withResolvers<void>();
const answered: string[] = [];

scripted("the runner is asked to stop while a status is unanswered", async ({ fake, runner }) => {
  const runId = crypto.randomUUID();
  const notAfter = new Date(Date.now() + 300_000).toISOString();
  await fake.request("canary.run", { runId, notAfter });
  await until("the terminal status under way", () => answered.includes("asked success"));
  const session = await fake.session();
  const mark = runner.program().mark();
  const exit = runner.program().terminate();
  await runner.event("runner.stopping", mark);
  assert.ok(!answered.includes("answered success"));
  held.resolve();
  assert.equal(await exit, 0);
  assert.ok(answered.includes("answered success"), "it waited for the answer");
  const closed = await within("the close", session.closed);
  assert.equal(closed.code, 4400);
}, {
  handlers: {
    "run.status": async ({ state }) => {
      answered.push(`asked ${state}`);
      if (isTerminal(state)) await held.promise;
      answered.push(`answered ${state}`);
      return {};
    },
  },
});
