/** The link to the API server does what links do: watches that are too old, connections that go dead, tokens that end. */
import assert from "node:assert/strict";
import { pause, until } from "../../wait.ts";
import { calls } from "../journey/api_call.ts";
import type { ClusterJourney, Scenario } from "../journey/journey.ts";
import { DIALECTS } from "../journey/objects.ts";
import { verifyJourney } from "../journey/verify.ts";

/** Nothing that happens meanwhile is lost or told twice. */
export const LINK: readonly Scenario[] = [
  { name: "the link is half-open", body: halfOpen },
  { name: "watches are closed with 410", body: expired },
  { name: "the token is rotated, in good order and in bad", body: rotated },
];

async function expired(journey: ClusterJourney): Promise<void> {
  const { engine, rest, api } = journey;
  const { resource } = DIALECTS[engine].runs;
  await rest.put("gated", { gate: "closed" });
  await rest.put("quick", { exit: 7 });
  const [first, second] = [await rest.run("gated"), await rest.run("gated")];
  for (const runId of [first, second]) await rest.runIs(runId, "running");

  // Told so in the middle of a watch; what happens before the new list is answered is in the list.
  const lists = api.hang(calls("list", resource));
  await api.expire(resource, "event");
  await until("the new list", () => lists.held() > 0);
  await journey.open(first);
  await hasEnded(journey, first);
  lists.release();
  await rest.ended(first);

  // Refused at once, for pods, while a run comes into being and ends.
  await api.expire("pods", "status");
  const third = await rest.run("quick");
  await journey.open(second);
  for (const runId of [second, third]) await rest.ended(runId);

  // Both at once, and connections that break instead of being closed.
  const last = await rest.run("quick");
  const told = [api.expire(resource, "status"), api.expire("pods", "event")];
  api.cutWatches("broken");
  await Promise.all(told);
  await rest.ended(last);
  await verifyJourney(journey, {
    runs: {
      [first]: { state: "success" },
      [second]: { state: "success" },
      [third]: { state: "failed" },
      [last]: { state: "failed" },
    },
    pipelines: { gated: {}, quick: {} },
  });
}

async function halfOpen(journey: ClusterJourney): Promise<void> {
  const { rest, api, measured } = journey;
  await rest.put("gated", { gate: "closed" });
  await rest.put("quick", {});
  const gated = await rest.run("gated");
  await rest.runIs(gated, "running");
  api.halfOpen();
  const began = performance.now();
  await journey.open(gated);
  // A command whose request vanishes too.
  const quick = await rest.run("quick");
  await rest.ended(gated);
  measured(`an end that fell into a half-open link was told after ${Math.round((performance.now() - began) / 1000)} s`);
  await rest.ended(quick);
  await verifyJourney(journey, {
    runs: { [gated]: { state: "success" }, [quick]: { state: "success" } },
    pipelines: { gated: {}, quick: {} },
  });
}

async function rotated(journey: ClusterJourney): Promise<void> {
  const { rest, api, runner, measured } = journey;
  await rest.put("gated", { gate: "closed" });
  await rest.put("quick", {});
  const [first, second] = [await rest.run("gated"), await rest.run("gated")];
  for (const runId of [first, second]) await rest.runIs(runId, "running");

  // In good order: the new one is in the file before the old one is refused.
  await runner.renewToken();
  await runner.revokeTokens();
  api.cutWatches("broken");
  await journey.open(first);
  const third = await rest.run("quick");
  for (const runId of [first, third]) await rest.ended(runId);

  // In bad order: refused, and for a while there is no other.
  await runner.revokeTokens({ all: true });
  api.cutWatches("broken");
  await journey.open(second);
  await hasEnded(journey, second);
  await pause(3_000);
  assert.equal((await rest.detail(second)).state, "running", "nobody could see its end");
  await runner.renewToken();
  const at = performance.now();
  await rest.ended(second);
  measured(`told ${((performance.now() - at) / 1000).toFixed(1)} s after the new token was in the file`);
  const last = await rest.run("quick");
  await rest.ended(last);
  await verifyJourney(journey, {
    runs: Object.fromEntries([first, second, third, last].map((runId) => [runId, { state: "success" }])),
    pipelines: { gated: {}, quick: {} },
  });
  for (const token of runner.tokens()) assert.ok(!runner.output().includes(token), "no token in the log");
}

/** The cluster itself has seen its end. */
async function hasEnded(journey: ClusterJourney, runId: string): Promise<void> {
  await until(`the end of the job of ${runId}`, async () => {
    const run = (await journey.objects()).runs.find((each) => each.runId === runId);
    return run?.pods.some((pod) => /"phase":"(Succeeded|Failed)"/.test(JSON.stringify(pod["status"])));
  }, { patienceMs: 90_000, lookMs: 300 });
}
