/** `plan`: the very objects that an engine would make, without a cluster, and without the document. */
import assert from "node:assert/strict";
import { parseAllDocuments } from "yaml";
import * as z from "zod/mini";
import { planCommand } from "../../cli/plan.ts";
import { inFolder } from "../folder.ts";
import { test } from "../limited.ts";

const CANARY = "canary-7f3a";
const EXAMPLE = new URL("../../examples/settings/job.yaml", import.meta.url).pathname;
const GOOD = {
  AGENT_ID: "a",
  INGESTION_IMAGE: "om/ingestion:1",
  HYBRID_RUNNER_IMAGE: "acme/runner:1",
  POD_NAMESPACE: "jobs",
};

const Objects = z.array(z.object({
  kind: z.string(),
  metadata: z.looseObject({ name: z.string(), namespace: z.string() }),
  stringData: z.optional(z.object({ document: z.string() })),
}));

async function plan(
  args: string[],
  env: Record<string, string> = GOOD,
): Promise<{ code: number; out: string; err: string }> {
  let out = "", err = "";
  const code = await planCommand(args, {
    env: (name) => env[name],
    stdout: (text) => void (out += text),
    stderr: (text) => void (err += text),
  });
  return { code, out, err };
}
const objectsIn = (out: string) => Objects.parse(parseAllDocuments(out).map((document) => document.toJS()));

const kinds = {
  kubernetes: ["ControllerRevision", "Secret", "CronJob", "Job"],
  argo: ["ControllerRevision", "Secret", "CronWorkflow", "Workflow"],
};
for (const [engine, expected] of Object.entries(kinds)) {
  test(`plan: ${engine}: a pipeline with a schedule`, async () => {
    const { code, out, err } = await plan([EXAMPLE, "--engine", engine]);
    assert.deepEqual([code, err], [0, ""]);
    const objects = objectsIn(out);
    assert.deepEqual(objects.map(({ kind }) => kind), expected);
    for (const { metadata } of objects) assert.equal(metadata.namespace, "jobs");
    assert.equal(objects[1]?.stringData?.document, "***");
    assert(!out.includes("warehouse.example"), "the document is shown");
    // The run mounts the very Secret that the plan shows.
    assert(out.split(`secretName: ${objects[1]?.metadata.name}`).length > 2);
    const json = await plan([EXAMPLE, "--engine", engine, "--json"]);
    assert.deepEqual(JSON.parse(json.out).items.length, 4);
  });
}

test("plan: EXECUTOR_TYPE chooses the engine, and where it does not, it is asked for", async () => {
  assert.match((await plan([EXAMPLE], { ...GOOD, EXECUTOR_TYPE: "simpleK8s" })).out, /kind: CronJob/);
  const { code, err } = await plan([EXAMPLE]);
  assert.equal(code, 2);
  assert.match(err, /^invalid \(engine\): .*pass --engine argo or kubernetes/);
});

test("plan: an automation brings its own Secret, and the document is shown where that is asked", async () => {
  await inFolder(async (folder) => {
    const path = await jobFile(folder, { kind: "automation", document: `request: {p: secret:/a, note: ${CANARY}}` });
    const { out } = await plan([path, "--engine", "argo"]);
    assert.deepEqual(objectsIn(out).map(({ kind }) => kind), ["Workflow", "Secret"]);
    assert(!out.includes(CANARY));
    const shown = await plan([path, "--engine", "argo", "--show-document"]);
    assert.match(objectsIn(shown.out)[1]?.stringData?.document ?? "", new RegExp(`"secret:a", note: ${CANARY}`));
  });
});

const wrong: [name: string, members: Record<string, unknown> | string, path: string, says: RegExp][] = [
  ["a bad reference", { document: "p: secret:/Upper\nsource: {serviceConnection: {}}" }, "document", /lower-case/],
  ["a bad schedule", { schedule: "61 * *" }, "schedule", /fields/],
  ["a missing member", { revision: undefined }, "revision", /revision: /],
  ["another type", { enabled: "yes" }, "enabled", /enabled: .*boolean/],
  ["a bad image", { image: "not an image" }, "image", /no image's name/],
  ["no YAML", `a: [${CANARY}`, "FILE", /no YAML/],
];
for (const [name, members, at, says] of wrong) {
  test(`plan: ${name} ends with 2 and the field`, async () => {
    await inFolder(async (folder) => {
      const path = await jobFile(folder, members);
      const { code, out, err } = await plan([path, "--engine", "kubernetes"]);
      assert.deepEqual([code, out], [2, ""]);
      assert(err.startsWith(`invalid (${at}): `), err);
      assert.match(err, says);
      assert(!err.includes(CANARY));
      const json = JSON.parse((await plan([path, "--engine", "kubernetes", "--json"])).out);
      assert.deepEqual([json.ok, json.code, json.path], [false, "invalid", at]);
    });
  });
}

test("plan: bad usage and wrong settings end with 2", async () => {
  for (const args of [[], ["a", "b"], [EXAMPLE, "--engine", "nomad"], [EXAMPLE, "--what"], ["/none.yaml"]]) {
    assert.equal((await plan(args)).code, 2, args.join(" "));
  }
  assert.match((await plan([EXAMPLE, "--engine", "argo"], { ...GOOD, AGENT_ID: "" })).err, /AGENT_ID is missing/);
  const { HYBRID_RUNNER_IMAGE: _, ...bare } = GOOD;
  const { code, err } = await plan([EXAMPLE, "--engine", "argo"], bare);
  assert.equal(code, 2);
  assert.match(err, /HYBRID_RUNNER_IMAGE is not set/);
  assert.match((await plan(["--help"])).out, /Usage: hybrid-runner plan/);
});

async function jobFile(folder: string, members: Record<string, unknown> | string): Promise<string> {
  const job = {
    kind: "pipeline",
    pipelineId: "p",
    name: "P",
    type: "metadata",
    revision: 1,
    document: "{}",
    enabled: true,
    maxActiveRuns: 1,
  };
  const path = `${folder}/job.yaml`;
  await Deno.writeTextFile(path, typeof members === "string" ? members : JSON.stringify({ ...job, ...members }));
  return path;
}
