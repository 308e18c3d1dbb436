/** The engine is changed while schedules and live runs are there: EXECUTOR_TYPE is another one after a restart. */
import assert from "node:assert/strict";
import { ingestionRules, runnerRules } from "../../../adapters/engine/cluster/rights.ts";
import { until } from "../../wait.ts";
import { calls } from "../journey/api_call.ts";
import type { ClusterJourney, EngineKind, Scenario } from "../journey/journey.ts";
import { DIALECTS } from "../journey/objects.ts";
import { verifyJourney } from "../journey/verify.ts";

const OTHER: Readonly<Record<EngineKind, EngineKind>> = { argo: "kubernetes", kubernetes: "argo" };
const RBAC = "rbac.authorization.k8s.io/v1";
const never = new AbortController().signal;

/** No slot runs twice, and no run is lost between the two. */
export const SUCCESSION: readonly Scenario[] = [{ name: "the engine is changed", body: changed, limitMs: 420_000 }];

async function changed(journey: ClusterJourney): Promise<void> {
  const { engine: former, rest, runner, api, agentId, measured } = journey;
  const engine = OTHER[former];
  await rest.put("due", { gate: "closed" }, { schedule: "* * * * *" });
  await rest.put("plain", { gate: "closed" });
  await rest.put("one", { gate: "closed" }, { maxActiveRuns: 1 });
  const [live, toStop] = [await rest.run("plain"), await rest.run("plain")];
  const holder = await rest.run("one");
  for (const runId of [live, toStop, holder]) await rest.runIs(runId, "running");
  const waiting = await rest.run("one");
  await rest.runIs(waiting, "queued");
  await until("a run of the schedule", async () => {
    return (await rest.runsOf("due")).some(({ state }) => state === "running");
  }, { patienceMs: 120_000, lookMs: 300 });

  await runner.kill();
  await granted(journey, engine);
  await runner.start(engine);
  await rest.runnerIs(agentId, "Active");
  const at = performance.now();
  await until("the suspension of the former schedule", async () => {
    const { schedules } = await journey.objects();
    return schedules.length === 1 && JSON.stringify(schedules[0]?.["spec"]).includes('"suspend":true');
  }, { lookMs: 200 });
  // Nothing new begins meanwhile: what is asked waits.
  const asked = await rest.run("plain");
  await rest.put("due", { say: "newer" }, { schedule: "* * * * *" }, { settled: false });
  const busy = await until("a word on what it waits for", async () => {
    const { deploymentMessage = "" } = await rest.pipeline("due");
    return deploymentMessage.includes("still holds") && deploymentMessage;
  }, { lookMs: 300 });
  assert.match(busy, new RegExp(former));
  const during = await journey.objects();
  assert.ok(during.runs.every((run) => run.engine === former), "nothing is begun on the new engine");

  await rest.stop(toStop);
  await rest.ended(toStop);
  // Killed in the midst of it: between the former schedule's end and what comes after.
  const killed = api.after(calls("delete", DIALECTS[former].schedules.resource), () => runner.kill());
  for (const { runId } of during.runs) if (![toStop, waiting].includes(runId)) await journey.open(runId);
  await rest.ended(holder);
  await journey.open(waiting);
  for (const { runId } of during.runs) await rest.ended(runId);
  await killed;
  await runner.start();
  await rest.deployed("due");
  measured(`the new engine began ${Math.round((performance.now() - at) / 1000)} s after the change`);
  await rest.runIs(asked, "running");
  await journey.open(asked);

  const { schedules } = await journey.objects();
  assert.deepEqual(schedules.map((schedule) => schedule.engine), [engine]);
  await until("a slot on the new engine", async () => {
    return (await journey.objects()).runs.some((run) => run.engine === engine && run.scheduledAt !== undefined);
  }, { patienceMs: 120_000, lookMs: 500 });
  await rest.toggle("due", false);
  const runs = Object.fromEntries(
    [live, holder, waiting, asked].map((runId) => [runId, { state: "success" as const }]),
  );
  await verifyJourney(journey, {
    runs: { ...runs, [toStop]: { state: "stopped", pods: [0, 1] } },
    pipelines: { due: { scheduled: true }, plain: {}, one: {} },
    slots: { due: () => ({ state: "success" }) },
  });
}

/** The rights that the chart grants with the other engine. */
async function granted({ world: { admin, at } }: ClusterJourney, engine: EngineKind): Promise<void> {
  const role = (name: string) => ({ ...at("roles", RBAC), name });
  await admin.patch(role("runner"), { rules: runnerRules(engine, { other: true }) }, never);
  // What still runs on Argo reports by its account, whichever engine comes next.
  await admin.patch(role("ingestion"), { rules: ingestionRules("argo") }, never);
}
