/**
 * The runner's Role with one verb on one resource taken away, each in turn: whatever needs it is refused with a fault
 * that names both, leaves nothing half-made, and works once the verb is back.
 */
import assert from "node:assert/strict";
import { type PolicyRule, runnerRules } from "../../../adapters/engine/cluster/rights.ts";
import type { ApiVerb } from "../../../adapters/cluster/target.ts";
import { type Fault, isFault } from "../../../mod/fault.ts";
import { isTerminal } from "../../../mod/run.ts";
import { until } from "../../wait.ts";
import type { World } from "../world.ts";
import { ourObjects } from "./all_objects.ts";
import { jobOf, openRunner, requestOf, scriptRow, type TestRunner } from "./runner.ts";
import { worlds } from "./worlds.ts";

const never = new AbortController().signal;

/** One verb on one resource. */
interface Right {
  group: string;
  resource: string;
  verb: ApiVerb;
}

/** What is tried, in this order; each is refused by name or works. */
const OPS = ["deploy", "toggle", "start", "start with a document", "stop", "unschedule", "remove"] as const;
type Op = (typeof OPS)[number];

/** Which of them need what, by engine; written by hand, so that a change shows. */
const NEEDS: Record<World["engine"], Readonly<Record<string, readonly Op[]>>> = {
  kubernetes: {},
  argo: {},
};

worlds("each right that is missing is named, and nothing half-made stays", { seconds: 150 }, async (world) => {
  const rules = runnerRules(world.engine, { other: false });
  const rights = rules.flatMap(({ apiGroups, resources, verbs }) =>
    resources.flatMap((resource) => verbs.map((verb): Right => ({ group: apiGroups[0] ?? "", resource, verb })))
  );
  // No node takes them: what is tried here needs no process, but for the patch that ends one.
  const rows = {
    waiting: scriptRow("true", { resources: { requests: { cpu: "1000" }, limits: { cpu: "1000" } } }),
    sleeping: scriptRow("trap 'exit 143' TERM; sleep 300 & wait"),
  };
  const found: Record<string, Op[]> = {};
  let refusals = 0;
  for (const right of rights) {
    const runner = await openRunner(world, { rows });
    try {
      await until("the first list", async () => (await runner.engine.health(never)).healthy);
      const refused = await without(world, right, rules, () => attempt(world, runner, right));
      console.log("DBG", world.engine, right.resource, right.verb, refused, performance.now() | 0);
      if (refused.length > 0) found[`${right.resource} ${right.verb}`] = refused;
      refusals += refused.length;
      await emptied(world, runner);
    } finally {
      await runner.close();
    }
  }
  assert.deepEqual(found, NEEDS[world.engine]);
  // deno-lint-ignore no-console
  console.log(
    `${world.engine}: ${rights.length} rights taken away in turn: ${refusals} refusals, each named its right`,
  );
});

worlds("a runner that may not watch says so", { seconds: 60 }, async (world) => {
  const rules = runnerRules(world.engine, { other: false });
  const [resource, group] = world.engine === "argo"
    ? ["workflows", "argoproj.io"] as const
    : ["jobs", "batch"] as const;
  for (const right of [{ group, resource, verb: "list" }, { group: "", resource: "pods", verb: "watch" }] as const) {
    await without(world, right, rules, async () => {
      const runner = await openRunner(world, { rows: { small: scriptRow("true") } });
      try {
        const message = await until("ill health", async () => {
          const { healthy, message } = await runner.engine.health(never);
          return !healthy && message;
        });
        assert.ok(message.includes(`${right.verb} ${spoken(right)}`), message);
        // Jobs wait for each other by what the watches tell; Workflows need no runner for that.
        if (world.engine === "kubernetes") named(await faultOf(() => runner.run(jobOf("small"))), right, "start");
      } finally {
        await runner.close();
      }
    });
  }
});

/** Tries everything; what was refused. Whatever may go on goes on. */
async function attempt(world: World, runner: TestRunner, right: Right): Promise<Op[]> {
  const { engine } = runner;
  const type = right.resource === "pods" && right.verb === "patch" ? "sleeping" : "waiting";
  const job = jobOf(type, { pipelineId: "tried", schedule: "@yearly", document: "a: 1" });
  const runIds = { deployed: crypto.randomUUID(), own: crypto.randomUUID() };
  const acts: Record<Op, () => Promise<unknown>> = {
    deploy: () => engine.deploy(job, never),
    toggle: () => engine.enable("tried", 2, false, never),
    start: () => engine.start(requestOf(runIds.deployed, "tried"), never),
    "start with a document": () => engine.start({ ...requestOf(runIds.own, "tried"), job }, never),
    async stop() {
      if (type === "sleeping") await runner.heard(runIds.own, "start", ({ state }) => state === "running");
      await engine.stop(runIds.own, never);
    },
    unschedule: () => engine.deploy({ ...withoutSchedule(job), revision: 3 }, never),
    remove: () => engine.remove("tried", 9, never),
  };
  const refused: Op[] = [];
  for (const op of OPS) {
    const before = await ourObjects(world);
    const fault = await faultOf(acts[op]);
      console.log("DBG2", world.engine, right.resource, right.verb, op, fault?.code, performance.now() | 0);
    if (fault === undefined) continue;
    // What an earlier refusal left undone is no news.
    if (fault.code === "not_found" && refused.length > 0) continue;
    named(fault, right, op);
    refused.push(op);
    if (op === "deploy" || op.startsWith("start") || op === "unschedule") {
      await until(`nothing new after ${op} without ${right.verb} ${right.resource}`, async () => {
        const now = await ourObjects(world);
        return now.every((name) => before.includes(name) || name.startsWith("Pod/"));
      }, { patienceMs: 10_000, lookMs: 200 });
    }
  }
  return refused;
}

/** With all rights back: everything goes, and nothing is left. */
async function emptied(world: World, { engine, told }: TestRunner): Promise<void> {
  await engine.remove("tried", 9, never);
  await until("nothing of the pipeline", async () => {
    for (const [runId, views] of told) {
      if (isTerminal(views.at(-1)?.run.state ?? "queued")) await engine.acknowledge(runId, never);
    }
    return (await ourObjects(world)).every((name) => !name.includes("/hr-"));
  }, { lookMs: 200 });
}

function named(fault: Fault | undefined, right: Right, op: string): void {
  assert.equal(fault?.code, "denied", `${op} without ${right.verb} ${right.resource}: ${fault?.message}`);
  assert.ok(fault?.message.includes(`add to its Role: ${right.verb} ${spoken(right)}`), fault?.message);
  assert.ok(fault?.details.rule?.includes(`${right.verb} ${spoken(right)}`));
}

function spoken({ group, resource }: Right): string {
  return group === "" ? resource : `${resource}.${group}`;
}

/** Takes the right away for as long as the work lasts. */
async function without<T>(world: World, right: Right, rules: PolicyRule[], work: () => Promise<T>): Promise<T> {
  const { admin, access } = world;
  const role = { ...world.at("roles", "rbac.authorization.k8s.io/v1"), name: "runner" };
  const attributes = { ...asked(right), verb: right.verb };
  const lessened = rules.flatMap((rule): PolicyRule[] => {
    const { apiGroups, resources, verbs } = rule;
    if (!apiGroups.includes(right.group) || !resources.includes(right.resource)) return [rule];
    const others = resources.filter((each) => each !== right.resource);
    const rest = verbs.filter((verb) => verb !== right.verb);
    return [
      ...others.length > 0 ? [{ apiGroups, resources: others, verbs }] : [],
      ...rest.length > 0 ? [{ apiGroups, resources: [right.resource], verbs: rest }] : [],
    ];
  });
  await admin.patch(role, { rules: lessened }, never);
  try {
    await until("the lesser rights", async () => !await world.may(access, attributes));
    return await work();
  } finally {
    await admin.patch(role, { rules }, never);
    await until("the rights as before", () => world.may(access, attributes));
  }
}

function asked({ group, resource }: Right) {
  const [name = "", subresource] = resource.split("/");
  return { group, resource: name, ...subresource === undefined ? {} : { subresource } };
}

function withoutSchedule({ schedule: _, ...job }: ReturnType<typeof jobOf>) {
  return job;
}

async function faultOf(act: () => Promise<unknown>): Promise<Fault | undefined> {
  try {
    await act();
    return undefined;
  } catch (error) {
    if (isFault(error)) return error;
    throw error;
  }
}
