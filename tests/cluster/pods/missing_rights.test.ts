/**
 * The runner's Role with one verb on one resource taken away, each in turn: whatever needs it is refused with a fault
 * that names both, leaves nothing half-made, and works once the verb is back.
 */
import assert from "node:assert/strict";
import { type PolicyRule, runnerRules } from "../../../adapters/engine/cluster/rights.ts";
import {
  CONTROLLER_REVISIONS,
  CRON_JOBS,
  CRON_WORKFLOWS,
  JOBS,
  SECRETS,
  WORKFLOWS,
} from "../../../adapters/engine/cluster/kinds.ts";
import type { ApiVerb } from "../../../adapters/cluster/target.ts";
import { type Fault, isFault } from "../../../mod/fault.ts";
import { isTerminal } from "../../../mod/run.ts";
import { until } from "../../wait.ts";
import type { World } from "../world.ts";
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
const OPS = [
  "deploy",
  "toggle",
  "start",
  "start with a document",
  "stop",
  "unschedule",
  "remove",
  "acknowledge",
] as const;
type Op = (typeof OPS)[number];

/** Which right each of them needs, by hand, so that a change shows. `RUN` and `CRON` are the engine's own kinds. */
const NEEDS: Readonly<Record<string, readonly Op[]>> = {
  "RUN create": ["start", "start with a document"],
  "RUN get": ["stop"],
  "RUN list": ["remove"],
  "RUN patch": ["stop", "remove"],
  // What was removed before its end was told goes with its acknowledgement.
  "RUN delete": ["acknowledge"],
  "CRON create": ["deploy"],
  "CRON get": ["deploy", "unschedule"],
  "CRON patch": ["toggle"],
  "CRON delete": ["unschedule", "remove"],
  "controllerrevisions create": ["deploy", "unschedule"],
  "controllerrevisions list": ["deploy", "toggle", "start", "unschedule", "remove"],
  "controllerrevisions patch": ["deploy", "unschedule"],
  "controllerrevisions delete": ["remove"],
  "pods list": ["stop", "remove"],
  "secrets create": ["deploy", "start with a document", "unschedule"],
};
const WORDS: Readonly<Record<string, string>> = {
  workflows: "RUN",
  jobs: "RUN",
  cronworkflows: "CRON",
  cronjobs: "CRON",
};
const nameOf = ({ resource, verb }: Right) => `${WORDS[resource] ?? resource} ${verb}`;

worlds("each right that is missing is named, and nothing half-made stays", { seconds: 170 }, async (world) => {
  const rules = runnerRules(world.engine, { other: false });
  const rights = rules.flatMap(({ apiGroups, resources, verbs }) =>
    resources.flatMap((resource) => verbs.map((verb): Right => ({ group: apiGroups[0] ?? "", resource, verb })))
  );
  // No node takes them: what is tried here needs no process.
  const rows = { waiting: scriptRow("true", { resources: { requests: { cpu: "1000" }, limits: { cpu: "1000" } } }) };
  const needed = rights.filter((right) => Object.hasOwn(NEEDS, nameOf(right)));
  const others = rights.filter((right) => !needed.includes(right));
  const found: Record<string, Op[]> = {};
  // What no command needs (watches, events, logs) goes all at once.
  for (const taken of [others, ...needed.map((right) => [right])]) {
    const runner = await openRunner(world, { rows });
    try {
      await runner.listed;
      const refused = await without(world, taken, rules, () => attempt(world, runner, taken));
      if (refused.length > 0) found[taken.map(nameOf).join(", ")] = refused;
      await emptied(world, runner);
    } finally {
      await runner.close();
    }
  }
  assert.deepEqual(found, NEEDS);
  // deno-lint-ignore no-console
  console.log(
    `${world.engine}: ${needed.length} rights taken away one by one, ${others.length} at once: ` +
      `${Object.values(found).flat().length} refusals, each names its right`,
  );
});

worlds("a runner that may not watch says so", { seconds: 60 }, async (world) => {
  const rules = runnerRules(world.engine, { other: false });
  const [resource, group] = world.engine === "argo"
    ? ["workflows", "argoproj.io"] as const
    : ["jobs", "batch"] as const;
  for (const right of [{ group, resource, verb: "list" }, { group: "", resource: "pods", verb: "watch" }] as const) {
    await without(world, [right], rules, async () => {
      const runner = await openRunner(world, { rows: { small: scriptRow("true") } });
      try {
        const message = await until("ill health", async () => {
          const { healthy, message } = await runner.engine.health(never);
          return !healthy && message;
        });
        assert.ok(message.includes(`${right.verb} ${spoken(right)}`), message);
        // Jobs wait for each other by what was listed; Workflows need no runner for that.
        const needsList = world.engine === "kubernetes" && right.verb === "list";
        const fault = await faultOf(() => runner.run(jobOf("small")));
        if (needsList) named(fault, right, "start");
        else assert.equal(fault, undefined);
      } finally {
        await runner.close();
      }
    });
  }
});

/** Tries everything; what was refused. Whatever may go on goes on. */
async function attempt(world: World, runner: TestRunner, taken: readonly Right[]): Promise<Op[]> {
  const { engine } = runner;
  const right = taken.length === 1 ? taken[0] : undefined;
  const job = jobOf("waiting", { pipelineId: "tried", schedule: "@yearly", document: "a: 1" });
  const runIds = { deployed: crypto.randomUUID(), own: crypto.randomUUID() };
  const acts: Record<Op, () => Promise<unknown>> = {
    deploy: () => engine.deploy(job, never),
    toggle: () => engine.enable("tried", 2, false, never),
    start: () => engine.start(requestOf(runIds.deployed, "tried"), never),
    "start with a document": () => engine.start({ ...requestOf(runIds.own, "tried"), job }, never),
    stop: () => engine.stop(runIds.own, never),
    unschedule: () => engine.deploy({ ...withoutSchedule(job), revision: 3 }, never),
    remove: () => engine.remove("tried", 9, never),
    async acknowledge() {
      if (right && nameOf(right) === "RUN delete") await runner.end(runIds.own);
      else if (!isTerminal(runner.told.get(runIds.own)?.at(-1)?.run.state ?? "queued")) return;
      await engine.acknowledge(runIds.own, never);
    },
  };
  const refused: Op[] = [];
  for (const op of OPS) {
    const before = await ourObjects(world);
    const fault = await faultOf(acts[op]);
    if (fault === undefined) continue;
    // What an earlier refusal left undone is no news.
    if (fault.code === "not_found" && refused.length > 0) continue;
    named(fault, right, op);
    refused.push(op);
    if (op === "deploy" || op.startsWith("start") || op === "unschedule") {
      await until(`nothing new after ${op} without ${taken.map(nameOf)}`, async () => {
        const now = await ourObjects(world);
        return now.every((name) => before.includes(name));
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
    return (await ourObjects(world)).length === 0;
  }, { lookMs: 200 });
}

/** Names of what the runner itself makes; pods are its engine's. */
async function ourObjects({ admin, namespace, engine }: World): Promise<string[]> {
  const kinds = [SECRETS, CONTROLLER_REVISIONS, ...engine === "argo" ? [WORKFLOWS, CRON_WORKFLOWS] : [JOBS, CRON_JOBS]];
  const lists = await Promise.all(kinds.map(async (kind) => {
    const objects = await Array.fromAsync(admin.list({ ...kind, namespace }, { metadataOnly: true }, never));
    return objects.map(({ metadata }) => `${kind.kind}/${metadata.name}`);
  }));
  return lists.flat().filter((name) => name.includes("/hr-"));
}

function named(fault: Fault | undefined, right: Right | undefined, op: string): void {
  assert.ok(right, `${op} needs what no command should: ${fault?.message}`);
  assert.equal(fault?.code, "denied", `${op} without ${right.verb} ${right.resource}: ${fault?.message}`);
  assert.ok(fault?.message.includes(`add to its Role: ${right.verb} ${spoken(right)}`), fault?.message);
  assert.ok(fault?.details.rule?.includes(`${right.verb} ${spoken(right)}`));
}

function spoken({ group, resource }: Right): string {
  return group === "" ? resource : `${resource}.${group}`;
}

/** Takes the right away for as long as the work lasts. */
async function without<T>(
  world: World,
  taken: readonly Right[],
  rules: PolicyRule[],
  work: () => Promise<T>,
): Promise<T> {
  const { admin, access } = world;
  const role = { ...world.at("roles", "rbac.authorization.k8s.io/v1"), name: "runner" };
  const isTaken = (group = "", resource: string, verb: ApiVerb) =>
    taken.some((right) => right.group === group && right.resource === resource && right.verb === verb);
  const lessened = rules.flatMap(({ apiGroups, resources, verbs }) =>
    resources.map((resource): PolicyRule => ({
      apiGroups,
      resources: [resource],
      verbs: verbs.filter((verb) => !isTaken(apiGroups[0], resource, verb)),
    }))
  ).filter(({ verbs }) => verbs.length > 0);
  const allowed = async () => await Promise.all(taken.map((right) => world.may(access, asked(right))));
  await admin.patch(role, { rules: lessened }, never);
  try {
    await until("the lesser rights", async () => (await allowed()).every((may) => !may));
    return await work();
  } finally {
    await admin.patch(role, { rules }, never);
    await until("the rights as before", async () => (await allowed()).every((may) => may));
  }
}

function asked({ group, resource, verb }: Right) {
  const [name = "", subresource] = resource.split("/");
  return { verb, group, resource: name, ...subresource === undefined ? {} : { subresource } };
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
