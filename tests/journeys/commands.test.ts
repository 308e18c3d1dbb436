/** Commands that come twice, too early, or too late: the control plane is scripted, the runner is real. */
import assert from "node:assert/strict";
import { isFault } from "../../mod/fault.ts";
import type { Job } from "../../mod/job.ts";
import { isTerminal, RANK } from "../../mod/run.ts";
import { scripted, type ScriptedWorld } from "./harness.ts";
import { begun, ledgerOf } from "./programs.ts";
import { documentOf, type Work } from "./rest.ts";
import { until } from "../wait.ts";

scripted("the same pipeline.run is sent three times", async ({ fake, folder, gate, measured }) => {
  const hold = gate("hold");
  await fake.request("pipeline.deploy", { revision: 1, job: jobOf(1, { lines: 3, gate: hold.path }) });
  const run = { runId: crypto.randomUUID(), pipelineId: "work", notAfter: inSeconds(300), revision: 1 };
  const at = performance.now();
  const answers = await Promise.all([1, 2, 3].map(() => fake.request("pipeline.run", run)));
  measured(`three answers in ${Math.round(performance.now() - at)} ms`);
  for (const answer of answers) assert.equal(answer.runId, run.runId);
  await begun(folder, run.runId);
  await until("the status running", () => fake.statuses.some(({ state }) => state === "running"));
  assert.equal((await fake.request("pipeline.run", run)).state, "running", "a repeat meets the run as it is");
  await conflict(fake.request("pipeline.run", { ...run, job: jobOf(1, { lines: 4 }) }), "other content");

  await hold.open();
  await told(fake, run.runId);
  assert.equal((await fake.request("pipeline.run", run)).state, "success", "a repeat after the end starts nothing");
  // An existing object decides before the clock does.
  const late = await fake.request("pipeline.run", { ...run, notAfter: inSeconds(-60) });
  assert.equal(late.state, "success");
  await invalid(fake.request("pipeline.run", { ...run, runId: crypto.randomUUID(), notAfter: inSeconds(-60) }));
  assert.deepEqual(await ledgerOf(folder, "start"), [run.runId]);
  inOrder(fake, run.runId, ["queued", "running", "success"]);
});

scripted("a stop overtakes its start", async ({ fake, folder }) => {
  await fake.request("pipeline.deploy", { revision: 1, job: jobOf(1, {}) });
  const run = { runId: crypto.randomUUID(), pipelineId: "work", notAfter: inSeconds(300) };
  const stop = await fake.request("run.stop", { runId: run.runId, notAfter: run.notAfter });
  assert.deepEqual(stop, { runId: run.runId, stopped: true });
  for (const _again of [1, 2]) {
    const start = await fake.request("pipeline.run", run);
    assert.deepEqual(start, { runId: run.runId, state: "stopped", stopped: true });
  }
  await told(fake, run.runId);
  // Another run of the pipeline goes through, so the first had all the time it needed to begin by mistake.
  const other = { ...run, runId: crypto.randomUUID() };
  await fake.request("pipeline.run", other);
  await told(fake, other.runId);
  assert.deepEqual(await ledgerOf(folder, "start"), [other.runId]);
  const { runs } = await fake.request("pipeline.status", { pipelineId: "work" });
  assert.deepEqual(runs.map(({ runId }) => runId), [other.runId], "the stopped run has no object");
  inOrder(fake, run.runId, ["queued", "stopped"]);
});

scripted("an older revision arrives late", async ({ fake, folder }) => {
  const newer = jobOf(5, { exit: 0 });
  await fake.request("pipeline.deploy", { revision: 5, job: newer });
  await conflict(fake.request("pipeline.deploy", { revision: 4, job: jobOf(4, { exit: 9 }) }), "older");
  await conflict(fake.request("pipeline.toggle", { pipelineId: "work", revision: 3, enabled: false }), "older");
  await conflict(fake.request("pipeline.delete", { pipelineId: "work", revision: 2 }), "older");
  await conflict(fake.request("pipeline.deploy", { revision: 5, job: jobOf(5, { exit: 9 }) }), "other content");
  const again = await fake.request("pipeline.deploy", { revision: 5, job: newer });
  assert.deepEqual([again.revision, again.deployedRevision, again.enabled], [5, 5, true]);

  const run = { runId: crypto.randomUUID(), pipelineId: "work", notAfter: inSeconds(300) };
  await conflict(fake.request("pipeline.run", { ...run, runId: crypto.randomUUID(), revision: 4 }), "another revision");
  await fake.request("pipeline.run", { ...run, revision: 5 });
  await told(fake, run.runId);
  inOrder(fake, run.runId, ["queued", "running", "success"]);
  assert.deepEqual(await ledgerOf(folder, "start"), [run.runId]);
});

type Fake = ScriptedWorld["fake"];

function jobOf(revision: number, work: Work): Job {
  return {
    kind: "pipeline",
    pipelineId: "work",
    name: "work",
    type: "metadata",
    revision,
    document: documentOf(work),
    enabled: true,
    maxActiveRuns: "unlimited",
  };
}

function inSeconds(seconds: number): string {
  return new Date(Date.now() + seconds * 1000).toISOString();
}

/** Waits until the run's end was told. */
async function told({ statuses }: Fake, runId: string): Promise<void> {
  await until(`the end of ${runId}`, () => statuses.some((one) => one.runId === runId && isTerminal(one.state)));
}

/** The run's states came in this order; some may be missing but the last, repeats are allowed, none goes back. */
function inOrder({ statuses }: Fake, runId: string, states: string[]): void {
  const mine = statuses.filter((status) => status.runId === runId);
  const ranks = mine.map(({ state }) => RANK[state]);
  assert.deepEqual(ranks.toSorted(), ranks, `${runId}: ${mine.map(({ state }) => state).join(" → ")}`);
  assert.deepEqual([...new Set(mine.map(({ state }) => state))], states);
  assert.equal(mine.filter(({ state }) => isTerminal(state)).length, 1, "acknowledged at once, so told once");
}

function conflict(answer: Promise<unknown>, why: string): Promise<void> {
  return assert.rejects(answer, (error) => isFault(error, "conflict"), why);
}

function invalid(answer: Promise<unknown>): Promise<void> {
  return assert.rejects(answer, (error) => isFault(error, "invalid") && error.details.path === "notAfter");
}
