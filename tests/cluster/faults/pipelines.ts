/** Pipelines change or go while runs of theirs are live. */
import assert from "node:assert/strict";
import { until, within } from "../../wait.ts";
import { calls } from "../journey/api_call.ts";
import type { ClusterJourney, Scenario } from "../journey/journey.ts";
import { ownersOf } from "../journey/objects.ts";
import { verifyJourney } from "../journey/verify.ts";

const never = new AbortController().signal;

/** A run keeps what it began with; a pipeline that goes takes everything along. */
export const PIPELINES: readonly Scenario[] = [
  { name: "a redeploy takes the schedule away while a run is live", body: unscheduled },
  { name: "a redeploy while runs of the old revision are live", body: redeployed },
  { name: "a pipeline is deleted and deployed again, with the same revision", body: deleted },
];

async function unscheduled(journey: ClusterJourney): Promise<void> {
  const { rest, runner, agentId } = journey;
  await rest.put("nightly", { gate: "closed" }, { schedule: "* * * * *" });
  const minted = await until("a run of the schedule", async () => {
    return (await rest.runsOf("nightly")).find(({ state }) => state === "running");
  }, { patienceMs: 120_000, lookMs: 300 });
  const { revision } = await rest.put("nightly", { gate: "closed" });
  const at = Date.now();
  const after = await journey.objects();
  assert.deepEqual(after.schedules, [], "the schedule is gone");
  const live = after.runs.filter(({ runId }) => runId === minted.runId);
  assert.equal(live.length, 1, "its run is not");

  await runner.kill();
  await runner.start();
  await rest.runnerIs(agentId, "Active");
  // What the cron controller minted before it knew is a run like any other.
  const minutes = (await journey.objects()).runs.map(({ runId }) => runId);
  for (const runId of minutes) await journey.open(runId);
  assert.equal((await rest.ended(minted.runId)).revision, minted.revision);
  assert.ok(revision > minted.revision);
  await verifyJourney(journey, {
    runs: {},
    pipelines: { nightly: {} },
    slots: { nightly: () => ({ state: "success" }) },
  });
  for (const { scheduledAt } of await rest.runsOf("nightly")) {
    assert.ok(Date.parse(scheduledAt ?? "") <= at, `nothing was minted after the schedule had gone: ${scheduledAt}`);
  }
}

async function redeployed(journey: ClusterJourney): Promise<void> {
  const { rest, world, api, runner, agentId } = journey;
  const say = (say: string) => rest.put("work", { gate: "closed", say }, { maxActiveRuns: 1 });
  const first = await say("one");
  const [running, waiting] = [await rest.run("work"), await rest.run("work")];
  await rest.runIs(running, "running");
  await rest.runIs(waiting, "queued");
  await say("two");
  await say("three");
  // Killed before it can put the newest in force: the repeat does.
  const killed = api.before(calls("patch", "controllerrevisions"), () => runner.kill());
  await rest.put("work", { gate: "closed", say: "four" }, { maxActiveRuns: 1 }, { settled: false });
  await within("the kill in the deploy", killed);
  await runner.start();
  await rest.deployed("work");
  const newest = await rest.run("work");

  const during = await journey.objects();
  const revisions = during.revisions.map(({ metadata }) => metadata.labels?.["hybrid-runner.dev/revision"]);
  assert.ok(revisions.includes(String(first.revision)), `the old revision stays: ${revisions}`);
  const oldest = during.revisions.find((each) =>
    each.metadata.labels?.["hybrid-runner.dev/revision"] === String(first.revision)
  );
  assert.ok(during.secrets.some((secret) => ownersOf(secret).includes(oldest?.metadata.uid ?? "")), "and its document");

  const said = async (runId: string, text: string) => {
    await journey.open(runId);
    await rest.ended(runId);
    const pod = (await journey.objects()).runs.find((run) => run.runId === runId)?.pods[0];
    const target = { ...world.at("pods"), name: pod?.metadata.name ?? "none", subresource: "log" };
    const log = await world.admin.open("get", target, { container: "main" }, never);
    assert.match(await new Response(log).text(), new RegExp(`begun ${text}\\n`), `${runId} says ${text}`);
  };
  await said(running, "one");
  // Its pod comes into being only now, with the Secret of a revision that is no longer in force.
  await said(waiting, "one");
  await said(newest, "four");
  await until("the end of the old revisions", async () => (await journey.objects()).revisions.length <= 2, {
    patienceMs: 90_000,
    lookMs: 500,
  });
  await rest.runnerIs(agentId, "Active");
  await verifyJourney(journey, {
    runs: Object.fromEntries([running, waiting, newest].map((runId) => [runId, { state: "success" }])),
    pipelines: { work: {} },
  });
}

async function deleted(journey: ClusterJourney): Promise<void> {
  const { rest, controlPlane, folder, agentId } = journey;
  const backup = `${folder}/backup.db`;
  await controlPlane.backup(backup);
  const put = () => rest.put("work", { gate: "closed" }, { schedule: "0 0 1 1 *" });
  const { revision } = await put();
  const first = await rest.run("work");
  await rest.runIs(first, "running");
  await rest.remove("work");
  await rest.gone("work");
  assert.equal((await rest.detail(first)).state, "stopped");
  await isEmpty(journey);

  // At once again, under a higher number.
  await put();
  const second = await rest.run("work");
  await rest.runIs(second, "running");
  await journey.open(second);
  await rest.ended(second);
  await rest.remove("work");
  await rest.gone("work");

  // A control plane that has forgotten all of it gives the same number once more, right behind the deletion.
  await controlPlane.program().kill();
  await controlPlane.restore(backup);
  await controlPlane.start();
  await rest.runnerIs(agentId, "Active");
  assert.equal((await put()).revision, revision, "the same revision");
  const third = await rest.run("work");
  await rest.runIs(third, "running");
  await journey.open(third);
  await verifyJourney(journey, {
    runs: { [third]: { state: "success" } },
    pipelines: { work: { scheduled: true } },
  });
  await rest.remove("work");
  await rest.gone("work");
  await isEmpty(journey);
}

/** Nothing of any kind is left. */
async function isEmpty(journey: ClusterJourney): Promise<void> {
  await until("the end of everything", async () => {
    const left = Object.values(await journey.objects()).flat();
    return left.length === 0;
  }, { patienceMs: 60_000, lookMs: 300 });
}
