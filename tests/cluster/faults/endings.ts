/** Runs that we end: by a stop or by a deadline, whatever they are at, and whatever becomes of the runner meanwhile. */
import assert from "node:assert/strict";
import { until, within } from "../../wait.ts";
import { calls } from "../journey/api_call.ts";
import { UNSCHEDULABLE } from "../journey/job.ts";
import type { ClusterJourney, Scenario } from "../journey/journey.ts";
import { DIALECTS } from "../journey/objects.ts";
import { verifyJourney } from "../journey/verify.ts";

/** Each end is told as what it was. */
export const ENDINGS: readonly Scenario[] = [
  { name: "a stop of what waits, of what cannot be scheduled, of what ignores TERM", body: stopped },
  { name: "a deadline passes, and the runner is killed before it is acknowledged", body: deadlines },
];

async function stopped(journey: ClusterJourney): Promise<void> {
  const { engine, rest, measured } = journey;
  await rest.put("one", { gate: "closed" }, { maxActiveRuns: 1 });
  await rest.put("nowhere", {}, { type: UNSCHEDULABLE });
  await rest.put("deaf", { term: "ignored" });
  const holder = await rest.run("one");
  await rest.runIs(holder, "running");
  const [waiting, next] = [await rest.run("one"), await rest.run("one")];
  const [nowhere, deaf] = [await rest.run("nowhere"), await rest.run("deaf")];
  for (const runId of [waiting, next, nowhere]) await rest.runIs(runId, "queued");
  await rest.runIs(deaf, "running");

  const timed = async (what: string, runId: string) => {
    const at = performance.now();
    await rest.stop(runId);
    const { state } = await rest.ended(runId);
    measured(`${what}: ${state} ${((performance.now() - at) / 1000).toFixed(1)} s after the stop`);
    return performance.now();
  };
  const [, , ended] = await Promise.all([
    timed("waits", waiting),
    timed("unschedulable", nowhere),
    timed("ignores TERM", deaf),
  ]);
  // Argo itself never gets it down: its object goes, and the pod with it.
  await until("the end of the process that ignores TERM", async () => {
    const { pods } = await journey.objects();
    const main = pods.filter(({ metadata }) => metadata.labels?.["hybrid-runner.dev/run"] === deaf);
    return main.every((pod) => /"phase":"(Succeeded|Failed)"/.test(JSON.stringify(pod["status"])));
  }, { patienceMs: 30_000, lookMs: 300 });
  measured(`ignores TERM: its process was gone ${((performance.now() - ended) / 1000).toFixed(1)} s after it was told`);
  assert.equal((await rest.detail(holder)).state, "running", "who holds the mutex is not concerned");
  await timed("runs", holder);
  await rest.runIs(next, "running");
  await journey.open(next);
  await verifyJourney(journey, {
    runs: {
      [waiting]: { state: "stopped", reason: "Stopped", pods: [0] },
      [nowhere]: { state: "stopped", reason: "Stopped", pods: [0, 1] },
      [deaf]: { state: "stopped", reason: "Stopped" },
      [holder]: { state: "stopped", reason: "Stopped" },
      [next]: { state: "success" },
    },
    pipelines: { one: {}, nowhere: {}, deaf: {} },
    gone: engine === "argo" ? [deaf] : [],
  });
}

async function deadlines(journey: ClusterJourney): Promise<void> {
  const { engine, rest, api, runner, agentId } = journey;
  const { resource } = DIALECTS[engine].runs;
  await rest.put("nowhere", {}, { type: UNSCHEDULABLE, deadlineSeconds: 5 });
  await rest.put("long", { gate: "closed" }, { deadlineSeconds: 8 });
  const restarted = async (killed: Promise<void>) => {
    await within("the kill", killed, 90_000);
    await runner.start();
    await rest.runnerIs(agentId, "Active");
  };
  // Ended by us, killed before anybody was told why.
  const first = await rest.run("nowhere");
  await restarted(api.after(calls("patch", resource, '"hybrid-runner.dev/ended-by":"deadline"'), () => runner.kill()));
  await rest.ended(first);
  // Told, and killed before it is marked as told.
  const second = await rest.run("nowhere");
  await restarted(api.before(calls("patch", resource, '"hybrid-runner.dev/acknowledged"'), () => runner.kill()));
  const third = await rest.run("long");
  await restarted(api.after(calls("patch", resource, '"hybrid-runner.dev/acknowledged"'), () => runner.kill()));
  for (const runId of [second, third]) await rest.ended(runId);
  const late = { state: "failed", reason: "DeadlineExceeded" } as const;
  await verifyJourney(journey, {
    runs: {
      [first]: { ...late, pods: [0, 1] },
      [second]: { ...late, pods: [0, 1] },
      [third]: late,
    },
    pipelines: { nowhere: {}, long: {} },
  });
}
