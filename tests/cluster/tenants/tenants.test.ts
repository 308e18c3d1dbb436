/**
 * Runners beside each other: two in one namespace, and one whose jobs run in another namespace than its own. Neither
 * touches what is the other's, and a pipeline that is deleted leaves nothing at all behind.
 */
import assert from "node:assert/strict";
import { systemClock } from "../../../adapters/clock.ts";
import { openClusterEngine } from "../../../adapters/engine/cluster/open.ts";
import { LABELS } from "../../../adapters/engine/cluster/marks.ts";
import { runnerRules } from "../../../adapters/engine/cluster/rights.ts";
import { agentHash } from "../../../mod/names.ts";
import { isTerminal, type Run } from "../../../mod/run.ts";
import { inFolder } from "../../folder.ts";
import { until } from "../../wait.ts";
import { allObjects, type Found } from "../pods/all_objects.ts";
import { jobOf, jobPodsOf, openRunner, requestOf, scriptRow, type TestRunner } from "../pods/runner.ts";
import { worlds } from "../pods/worlds.ts";
import { openWorld, type World } from "../world.ts";

const never = new AbortController().signal;
const rows = {
  quick: scriptRow("echo done"),
  sleeping: scriptRow("trap 'exit 143' TERM; sleep 300 & wait"),
};
const RBAC = "rbac.authorization.k8s.io/v1";

worlds("tenants: two runners in one namespace leave each other alone", { seconds: 170 }, async (world) => {
  await world.createSecret("shop-db", { value: "x" });
  const before = await present(world);
  const [one, other] = await Promise.all([openRunner(world, { rows }), openRunner(world, { rows })]);
  try {
    // The same ids on both: the control planes know nothing of each other.
    const runIds = { quick: crypto.randomUUID(), sleeping: crypto.randomUUID() };
    const [quiet] = await Promise.all([fill(one, runIds), fill(other, runIds)]);
    assert.ok(quiet);
    const still = await versionsOf(world, one);
    assert.ok(Object.keys(still).length >= 6, JSON.stringify(still));

    // Everything that the other can do, while the first does nothing.
    await other.engine.deploy(jobOf("quick", { pipelineId: "shared", revision: 2, schedule: "@daily" }), never);
    await other.engine.enable("shared", 3, false, never);
    await other.engine.deploy(jobOf("quick", { pipelineId: "shared", revision: 4 }), never);
    await other.engine.deploy(jobOf("quick", { pipelineId: "shared", revision: 5, schedule: "@weekly" }), never);
    await other.engine.stop(runIds.sleeping, never);
    await other.end(runIds.sleeping);
    await emptied(world, other, 6);
    assert.deepEqual(await versionsOf(world, one), still, "what belongs to the first is as it was");
    assert.deepEqual([...one.told.keys()].sort(), Object.values(runIds).sort());
    assert.equal(one.told.get(runIds.sleeping)?.at(-1)?.run.state, "running");

    await emptied(world, one, 6);
  } finally {
    await Promise.all([one.close(), other.close()]);
  }
  await nothingLeft(world, before);
});

worlds("tenants: a runner's jobs run in another namespace than it", { seconds: 120 }, async (jobs) => {
  const home = await openWorld({ engine: jobs.engine });
  try {
    await lend(jobs, home);
    await inFolder(async (folder) => {
      const [atHome, before] = [await present(home), await present(jobs)];
      const env = await environment(home, jobs, folder);
      const { settings } = await jobPodsOf(jobs, { rows, env }, "abroad");
      const engine = await openClusterEngine({
        ...{ settings, clock: systemClock, log: () => {}, random: { float: Math.random } },
        env: (name) => env[name],
      }, never);
      try {
        const runId = crypto.randomUUID();
        // At first it is busy: the other engine might hold something of ours.
        const job = jobOf("quick", { pipelineId: "shared", schedule: "@yearly" });
        await until("its readiness", () => engine.deploy(job, never));
        await engine.start(requestOf(runId, "shared"), never);
        const run = await until("its end", async (): Promise<Run | false> => {
          const run = await engine.find(runId, never);
          return run !== undefined && isTerminal(run.state) && run;
        }, { lookMs: 300 });
        assert.equal(run.state, "success", JSON.stringify(run));
        assert.deepEqual(await present(home), atHome, "nothing in its own namespace");
        const made = (await present(jobs)).filter((name) => !before.includes(name));
        for (const kind of ["ControllerRevision", "Secret", "Pod"]) {
          assert.ok(made.some((name) => name.startsWith(`${kind}/hr-`)), `${kind}: ${made}`);
        }
        await engine.acknowledge(runId, never);
        await engine.remove("shared", 2, never);
      } finally {
        await engine.close();
      }
      await nothingLeft(jobs, before);
      assert.deepEqual(await present(home), atHome);
    });
  } finally {
    await home.close();
  }
});

/** One of each: a schedule, a run that has ended and is not acknowledged, one that goes on with a document of its own. */
async function fill({ engine, heard, end }: TestRunner, runIds: { quick: string; sleeping: string }): Promise<Run> {
  await engine.deploy(jobOf("quick", { pipelineId: "shared", schedule: "@yearly", document: "a: 1" }), never);
  await engine.start(requestOf(runIds.quick, "shared"), never);
  const job = jobOf("sleeping", { pipelineId: "shared", document: "password: secret:/shop/db" });
  await engine.start({ ...requestOf(runIds.sleeping, "shared"), job }, never);
  await heard(runIds.sleeping, "start", ({ state }) => state === "running");
  return (await end(runIds.quick)).run;
}

/** `pipeline.delete`, and what the control plane acknowledges after it. */
async function emptied(world: World, { engine, told, agentId }: TestRunner, revision: number): Promise<void> {
  await engine.remove("shared", revision, never);
  const runIds = [...told.keys()];
  await until("the ends", () => runIds.every((id) => isTerminal(told.get(id)?.at(-1)?.run.state ?? "queued")));
  for (const runId of runIds) await engine.acknowledge(runId, never);
  await until("nothing of the runner", async () => {
    const objects = await allObjects(world.namespace);
    return Object.values(objects).every((object) => object.kind === "Event" || ownerOf(object) !== agentHash(agentId));
  }, { lookMs: 500 });
}

/** Of all that belongs to one runner, each with the version that any write would change. */
async function versionsOf(world: World, { agentId, engine }: TestRunner): Promise<Record<string, string>> {
  const read = async () => {
    const objects = Object.entries(await allObjects(world.namespace));
    return Object.fromEntries(
      objects.filter(([, object]) => ownerOf(object) === agentHash(agentId))
        .map(([name, { metadata }]) => [name, metadata.resourceVersion]),
    );
  };
  assert.ok((await engine.health(never)).healthy);
  // Its own controllers have the last word on it.
  let last = "";
  return await until("versions that stay", async () => {
    const now = await read(), text = JSON.stringify(now);
    const same = text === last;
    last = text;
    return same && now;
  }, { lookMs: 5000 });
}

function ownerOf({ metadata }: Found): string | undefined {
  const { labels } = metadata as { labels?: Record<string, string> };
  return labels?.[LABELS.agent];
}

/** `Kind/name` of all that there is; events tell of the past, and go by themselves. */
async function present({ namespace }: World): Promise<string[]> {
  return Object.keys(await allObjects(namespace)).filter((name) => !name.startsWith("Event/")).sort();
}

async function nothingLeft(world: World, before: readonly string[]): Promise<void> {
  let left: string[] = [];
  await until("the garbage collector", async () => {
    left = (await present(world)).filter((name) => !before.includes(name));
    return left.length === 0;
  }, { lookMs: 500 }).catch((error) => {
    throw new Error(`still there: ${left}`, { cause: error });
  });
  // deno-lint-ignore no-console
  console.log(`${world.engine}: ${before.length} objects of all kinds before, the same after`);
}

/** Lets the runner's account of one namespace work in another, as the chart does. */
async function lend(jobs: World, home: World): Promise<void> {
  await jobs.admin.create(jobs.at("rolebindings", RBAC), {
    metadata: { name: "lent" },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "runner" },
    subjects: [{ kind: "ServiceAccount", name: "runner", namespace: home.namespace }],
  }, never);
  const [rule] = runnerRules(jobs.engine);
  const attributes = { group: rule?.apiGroups[0] ?? "", resource: rule?.resources[0] ?? "", verb: "create" };
  await until("the lent rights", () => jobs.may(home.access, { ...attributes, namespace: jobs.namespace }));
}

/** The environment of a runner that finds its cluster by a kubeconfig. */
async function environment(home: World, jobs: World, folder: string): Promise<Record<string, string>> {
  const { server } = home.config;
  const { caCerts = [] } = await home.config.tls(never);
  const token = await home.config.token(never);
  const path = `${folder}/kubeconfig`;
  const authority = new TextEncoder().encode(caCerts.join("\n")).toBase64();
  await Deno.writeTextFile(
    path,
    JSON.stringify({
      apiVersion: "v1",
      kind: "Config",
      "current-context": "home",
      contexts: [{ name: "home", context: { cluster: "home", user: "runner", namespace: home.namespace } }],
      clusters: [{
        name: "home",
        cluster: { server, ...caCerts.length > 0 ? { "certificate-authority-data": authority } : {} },
      }],
      users: [{ name: "runner", user: { token } }],
    }),
  );
  return { KUBECONFIG: path, INGESTION_NAMESPACE: jobs.namespace };
}
