/** The runner is killed with -9 at each step of a run, with a run in flight and schedules due. */
import assert from "node:assert/strict";
import { pipelineName } from "../../../mod/names.ts";
import { pause, until, within } from "../../wait.ts";
import { calls, type Match } from "../journey/api_call.ts";
import type { ClusterJourney, Scenario } from "../journey/journey.ts";
import { DIALECTS } from "../journey/objects.ts";
import { minutesBetween, verifyJourney } from "../journey/verify.ts";

const good = () => ({ state: "success" }) as const;

/** Each step of a run, and of a deploy. */
export const KILLED: readonly Scenario[] = [
  { name: "the runner is killed at each step of a run", body: runs },
  { name: "the runner is killed at each step of a deploy", body: deploys },
];

async function runs(journey: ClusterJourney): Promise<void> {
  const { engine, rest, runner, api, world, agentId, measured } = journey;
  const dialect = DIALECTS[engine], { resource } = dialect.runs;
  await rest.put("steady", { gate: "closed" });
  await rest.put("quick", {});
  await rest.put("one", { sleep: 2 }, { maxActiveRuns: 1 });
  const began = Date.now();
  await rest.put("due", {}, { schedule: "* * * * *" });
  await rest.put("due-one", {}, { schedule: "* * * * *", maxActiveRuns: 1 });
  const schedules = async () => (await journey.objects()).schedules.map(({ metadata }) => metadata.uid).sort();
  const before = await schedules();
  const steady = await rest.run("steady");
  await rest.runIs(steady, "running");
  const commanded: string[] = [steady];

  /** Kills the runner at the request, and lets it come back. */
  const killedAt = async (when: "before" | "after", match: Match, start: () => Promise<string>) => {
    const killed = api[when](match, () => runner.kill());
    commanded.push(await start());
    await within(`the kill ${when} step ${commanded.length}`, killed, 90_000);
    await runner.start();
    await rest.runnerIs(agentId, "Active");
  };
  const acknowledging = calls("patch", resource, "hybrid-runner.dev/acknowledged");
  await killedAt("before", calls("create", resource), () => rest.run("quick"));
  await killedAt("after", calls("create", resource), () => rest.run("quick"));
  await killedAt("after", calls("create", resource), () => rest.run("one"));
  await killedAt("before", calls("create", resource), () => rest.run("one"));
  await killedAt("before", calls("create", "secrets"), () => rest.automation("own", { say: "hello" }));
  await killedAt("after", calls("create", "secrets"), () => rest.automation("own", { say: "hello" }));
  await killedAt("before", acknowledging, () => rest.run("quick"));
  await killedAt("after", acknowledging, () => rest.run("quick"));

  // Killed while it runs: nothing happens to it, and its end is seen by nobody.
  await rest.runIs(steady, "running");
  await runner.kill();
  await journey.open(steady);
  await until("the end of the job", async () => {
    const run = (await journey.objects()).runs.find(({ runId }) => runId === steady);
    return JSON.stringify(run?.pods[0]?.["status"]).includes('"phase":"Succeeded"');
  }, { patienceMs: 90_000, lookMs: 500 });
  await runner.start();
  for (const runId of commanded) await rest.ended(runId);

  const slot = Math.floor(began / 60_000) * 60_000 + 60_000;
  await pause(Math.max(0, slot + 1_000 - Date.now()));
  assert.deepEqual(await schedules(), before, "the schedules are the very ones");
  for (const pipelineId of ["due", "due-one"]) {
    const wanted = minutesBetween(began, Date.now());
    await until(`the slots of ${pipelineId}`, async () => {
      const slots = (await rest.runsOf(pipelineId)).filter(({ terminal }) => terminal).map((run) => run.scheduledAt);
      return wanted.every((slot) => slots.includes(slot));
    }, { patienceMs: 90_000, lookMs: 500 });
    measured(`${pipelineId}: ${wanted.length} slots, each with one run`);
  }
  for (const pipelineId of ["due", "due-one"]) {
    await rest.toggle(pipelineId, false);
    const name = pipelineName(agentId, pipelineId);
    const { kind: _, ...target } = dialect.schedules;
    const object = await world.admin.get({ ...target, namespace: world.namespace, name }, new AbortController().signal);
    assert.match(JSON.stringify(object["spec"]), /"suspend":true/);
  }
  await verifyJourney(journey, {
    runs: Object.fromEntries(commanded.map((runId) => [runId, { state: "success" }])),
    pipelines: { steady: {}, quick: {}, one: {}, due: { scheduled: true }, "due-one": { scheduled: true } },
    slots: { due: good, "due-one": good },
  });
  measured(`${commanded.length} commanded runs, killed 9 times`);
}

async function deploys(journey: ClusterJourney): Promise<void> {
  const { engine, rest, runner, api, agentId, measured } = journey;
  const schedules = DIALECTS[engine].schedules.resource;
  const steps: Record<string, ["before" | "after", Match]> = {
    "no-revision": ["before", calls("create", "controllerrevisions")],
    "no-answer": ["after", calls("create", "controllerrevisions")],
    "no-document": ["before", calls("create", "secrets")],
    "no-schedule": ["before", calls("create", schedules)],
    "no-confirmation": ["before", calls("patch", "controllerrevisions")],
    "no-word": ["after", calls("patch", "controllerrevisions")],
  };
  const commanded: string[] = [];
  for (const [pipelineId, [when, match]] of Object.entries(steps)) {
    const killed = api[when](match, () => runner.kill());
    // Never due while the test lasts.
    await rest.put(pipelineId, { say: pipelineId }, { schedule: "0 0 1 1 *" }, { settled: false });
    await within(`the kill in the deploy of ${pipelineId}`, killed);
    await runner.start();
    await rest.deployed(pipelineId);
    commanded.push(await rest.run(pipelineId));
  }
  // Killed in a deletion: the rest of it is done by the repeated command.
  for (
    const [pipelineId, match] of [["no-word", calls("delete", schedules)], [
      "no-schedule",
      calls("delete", "controllerrevisions"),
    ]] as const
  ) {
    for (const runId of commanded) await rest.ended(runId);
    const killed = api.after(match, () => runner.kill());
    await rest.remove(pipelineId);
    await within(`the kill in the deletion of ${pipelineId}`, killed);
    await runner.start();
    await rest.runnerIs(agentId, "Active");
    await rest.gone(pipelineId);
  }
  const removed = new Set(["no-word", "no-schedule"]);
  const gone = commanded.filter((_, at) => removed.has(Object.keys(steps)[at] ?? ""));
  const pipelines = Object.keys(steps).filter((id) => !removed.has(id));
  await until("the end of what was deleted", async () => {
    const { runs } = await journey.objects();
    return !runs.some(({ runId }) => gone.includes(runId));
  }, { patienceMs: 60_000, lookMs: 300 });
  await verifyJourney(journey, {
    runs: Object.fromEntries(commanded.map((runId) => [runId, { state: "success" }])),
    pipelines: Object.fromEntries(pipelines.map((id) => [id, { scheduled: true }])),
    gone,
  });
  measured(`${Object.keys(steps).length} deploys and 2 deletions, killed in each`);
}
