/**
 * The API server is killed and restarted with runs in flight and schedules due. Nobody else may use the cluster
 * meanwhile; TEST_RESTART_API_SERVER is the command that does it.
 */
import assert from "node:assert/strict";
import { pause, until } from "../../wait.ts";
import { type ClusterJourney, clusterJourneys } from "../journey/journey.ts";
import { minutesBetween, verifyJourney } from "../journey/verify.ts";

const command = Deno.env.get("TEST_RESTART_API_SERVER") ||
  (Deno.env.get("TESTBED") ? "../shared/testbed/testbed restart kube-apiserver KILL" : undefined);

if (command === undefined) {
  const how = "set TEST_RESTART_API_SERVER to a command that kills and restarts the API server";
  Deno.test({ name: `cluster/journey: the API server is killed [skipped: ${how}]`, ignore: true, fn: () => {} });
} else {
  // One engine after the other: each kills it for itself.
  const scenario = { name: "the API server is killed and restarted in mid-run", body: killed(command), direct: true };
  clusterJourneys("the API server is killed", [scenario], { atOnce: 1 });
}

function killed(command: string): (journey: ClusterJourney) => Promise<void> {
  return async (journey) => {
    const { rest, agentId, measured } = journey;
    await rest.put("gated", { gate: "closed" });
    await rest.put("quick", {});
    await rest.put("one", { gate: "closed" }, { maxActiveRuns: 1 });
    const from = Date.now();
    await rest.put("due", {}, { schedule: "* * * * *" });
    const [gated, holder] = [await rest.run("gated"), await rest.run("one")];
    for (const runId of [gated, holder]) await rest.runIs(runId, "running");
    const waiting = await rest.run("one");
    await rest.runIs(waiting, "queued");

    const at = performance.now();
    const asked: string[] = [];
    await Promise.all([
      run(command),
      // Commands while it is down: they are carried out once it is back, each once.
      pause(300).then(async () => {
        for (let more = 0; more < 3; more++) asked.push(await rest.run("quick"));
      }),
    ]);
    measured(`the API server was restarted in ${((performance.now() - at) / 1000).toFixed(1)} s`);
    await until("the API server", () => journey.objects(), { lookMs: 500 });
    for (const runId of asked) await rest.ended(runId);
    measured(`what was asked meanwhile had ended ${((performance.now() - at) / 1000).toFixed(1)} s after the kill`);
    for (const runId of [gated, holder, waiting]) {
      await journey.open(runId);
      await rest.ended(runId);
    }
    await rest.put("quick", { say: "newer" });
    asked.push(await rest.run("quick"));

    const next = Math.floor(Date.now() / 60_000) * 60_000 + 60_000;
    await pause(Math.max(0, next + 10_000 - Date.now()));
    const wanted = minutesBetween(from, next);
    await until("every slot", async () => {
      const runs = await rest.runsOf("due");
      return wanted.every((slot) => runs.some(({ scheduledAt, terminal }) => scheduledAt === slot && terminal));
    }, { patienceMs: 90_000, lookMs: 500 });
    assert.ok(wanted.length > 0);
    await rest.runnerIs(agentId, "Active");
    await rest.toggle("due", false);
    await verifyJourney(journey, {
      runs: Object.fromEntries([gated, holder, waiting, ...asked].map((runId) => [runId, { state: "success" }])),
      pipelines: { gated: {}, quick: {}, one: {}, due: { scheduled: true } },
      slots: { due: () => ({ state: "success" }) },
    });
    measured(`${wanted.length} slots, each with one run`);
  };
}

async function run(command: string): Promise<void> {
  const { code, stderr } = await new Deno.Command("sh", { args: ["-c", command], stdin: "null" }).output();
  assert.equal(code, 0, `${command}: ${new TextDecoder().decode(stderr)}`);
}
