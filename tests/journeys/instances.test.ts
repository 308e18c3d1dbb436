/** Two runners with one agentId, and a runner without an engine. */
import assert from "node:assert/strict";
import { journey } from "./harness.ts";
import { begun } from "./programs.ts";
import { verifyRuns } from "./verify.ts";
import { until } from "../wait.ts";

journey("two runners have one agentId", async (world) => {
  const { rest, folder, agentId, runner, addRunner, gate, measured } = world;
  const hold = gate("hold");
  await rest.deploy("work", { lines: 10, gate: hold.path });
  const runId = await rest.run("work");
  await begun(folder, runId);
  const { instanceId: first } = await rest.runner(agentId);
  const sessions = () => runner.output().split("\n").filter((line) => line.includes('"session.open"')).length;
  assert.equal(sessions(), 1);

  await Deno.mkdir(`${folder}/second`);
  const second = await addRunner({ folder: `${folder}/second` });
  await second.start();
  const refused = await second.event("link.two_instances");
  assert.equal(refused.code, 4409);
  const shown = await rest.runnerIs(agentId, "Active", /two instances/i);
  assert.equal(shown.instanceId, first);
  const { instanceId: other } = await second.event("runner.starting");
  for (const id of [first, other]) assert.ok(shown.reason.includes(String(id)), `${shown.reason} names ${id}`);

  // The first is undisturbed: it ends what it has, and takes more.
  await hold.open();
  await rest.ended(runId);
  const more = await rest.run("work");
  await rest.ended(more);
  assert.equal(sessions(), 1, "the first one's session went on");
  await verifyRuns(rest, folder, {
    [runId]: { state: "success", starts: 1 },
    [more]: { state: "success", starts: 1 },
  });

  const died = performance.now();
  await runner.program().kill();
  await until("the second to take over", async () => {
    const now = await rest.runner(agentId);
    return now.status === "Active" && now.instanceId === other;
  }, { patienceMs: 90_000, lookMs: 200 });
  measured(`the second was Active ${Math.round((performance.now() - died) / 1000)} s after the first had died`);
});

journey("a runner has no engine", async ({ rest, agentId, runner, measured }) => {
  const { engine, reason } = await rest.runner(agentId);
  assert.equal(engine?.kind, "none");
  assert.match(engine?.message ?? "", /EXECUTOR_TYPE/);
  assert.match(reason, /no jobs/);
  const ready = await runner.health("/readyz");
  assert.equal(ready.status, 503);
  assert.match(ready.text, /engine: .*EXECUTOR_TYPE/);
  assert.equal((await runner.health("/livez")).status, 200);

  // What is asked of it is refused with the reason, and it lives on.
  await rest.call("PUT", "/pipelines/work", {
    ...{ agentId, name: "work", type: "metadata", enabled: true, maxActiveRuns: 1, document: "lines: 1\n" },
  });
  await until("the refusal to be shown", async () => {
    const { deploymentMessage = "" } = await rest.pipeline("work");
    return /no workflow engine/.test(deploymentMessage);
  });
  await rest.runnerIs(agentId, "Active");
  assert.equal(await runner.program().terminate(), 0);
  measured(`readiness said: ${ready.text.trim()}`);
}, { env: { EXECUTOR_TYPE: "auto" } });
