/**
 * What is wrong with jobs, settings and rights is told as a typed fault that says what to change, and nothing half-made
 * stays in the cluster.
 */
import assert from "node:assert/strict";
import { createClusterAccess } from "../../../adapters/cluster/access.ts";
import { findCluster } from "../../../adapters/cluster/config.ts";
import { systemClock } from "../../../adapters/clock.ts";
import { type Fault, type FaultCode, isFault } from "../../../mod/fault.ts";
import type { Job } from "../../../mod/job.ts";
import { until } from "../../wait.ts";
import { jobOf, jobPodsOf, openRunner, requestOf, scriptRow } from "./runner.ts";
import { ourObjects } from "./all_objects.ts";
import { worlds } from "./worlds.ts";

const never = new AbortController().signal;
const TYPE = "Ünknown / type & <more>".padEnd(128, "x");
const ODD = "é ' \" ` \\ $(x) {{workflow.name}} \t\n\r 🦊 <b> & # : - \u2028 ".padEnd(300, "x");

/** A job that is wrong, and what is said of it. */
interface Wrong {
  job: Partial<Job> & { type?: string };
  code?: FaultCode;
  path: string;
  says: RegExp;
}

const WRONG: Readonly<Record<string, Wrong>> = {
  "no YAML": { job: { document: "a: [b\nc" }, path: "document", says: /line \d+, column \d+/ },
  "two documents": { job: { document: "a: 1\n---\nb: 2" }, path: "document", says: /only one/ },
  "2 MB": { job: { document: `a: ${"x".repeat(2 * 1024 * 1024)}` }, path: "document", says: /larger than 900 KiB/ },
  "a reference that leaves": {
    job: { document: "password: secret:/shop/../db" },
    path: "document",
    says: /secret:\/shop\/\.\.\/db/,
  },
  "a Secret that cannot be": {
    job: { document: "password: secret:/Shop/DB" },
    path: "document",
    says: /secret:\/Shop\/DB.*(lower|name)/,
  },
  "a field that is too large": { job: { schedule: "61 * * * *" }, path: "schedule", says: /61 \* \* \* \*/ },
  "six fields": { job: { schedule: "* * * * * *" }, path: "schedule", says: /field/ },
  "words": { job: { schedule: "every day" }, path: "schedule", says: /every day/ },
  "no such day": { job: { schedule: "0 0 30 2 *" }, path: "schedule", says: /no day of any year/ },
  "no such shorthand": { job: { schedule: "@fortnightly" }, path: "schedule", says: /@fortnightly.*@daily/s },
  "@reboot": { job: { schedule: "@reboot" }, path: "schedule", says: /@reboot/ },
  "no such zone": {
    job: { schedule: "@daily", timezone: "Mars/Olympus" },
    path: "timezone",
    says: /Mars\/Olympus/,
  },
  "an image that is none": {
    job: { image: "not an image!" },
    path: "image",
    says: /"not an image!" is no image's name/,
  },
  "capital letters": { job: { image: "localhost/UPPER:x" }, path: "image", says: /is no image's name/ },
  "an account that is none": {
    job: { serviceAccount: "No Body" },
    path: "serviceAccount",
    says: /"No Body" is no name/,
  },
  "a label that is none": { job: { labels: { team: "a b" } }, path: "labels.team", says: /label/ },
  "a variable of ours": { job: { env: { pipelineType: "x" } }, path: "env.pipelineType", says: /settings say it/ },
  "what Argo fills in": { job: { env: { X: "{{workflow.uid}}" } }, path: "env.X", says: /Argo replaces/ },
};

worlds("bad input is refused and leaves nothing", { seconds: 60 }, async (world) => {
  const runner = await openRunner(world, { rows: { small: scriptRow("true") } });
  try {
    const { engine } = runner;
    const before = await ourObjects(world);
    for (const [name, { job, code = "invalid", path, says }] of Object.entries(WRONG)) {
      const wrong = jobOf("small", job);
      const verbs: Record<string, () => Promise<unknown>> = { deploy: () => engine.deploy(wrong, never) };
      // A run has no schedule.
      if (wrong.schedule === undefined) verbs["start"] = () => runner.run(wrong);
      for (const [verb, act] of Object.entries(verbs)) {
        const fault = await faultOf(act);
        assert.deepEqual([fault?.code, fault?.details.path], [code, path], `${name}: ${verb}: ${fault?.message}`);
        assert.match(fault?.message ?? "", says, `${name}: ${verb}`);
      }
    }
    assert.deepEqual(await ourObjects(world), before);
  } finally {
    await runner.close();
  }
});

worlds("odd names of 300 characters and Airflow's shorthands work", { seconds: 90 }, async (world) => {
  const runner = await openRunner(world, { rows: { [TYPE]: scriptRow("true") } });
  try {
    const { engine } = runner;
    const before = await ourObjects(world);
    const odd = jobOf(TYPE, { pipelineId: ODD, name: ODD });
    for (const [revision, schedule] of ["@hourly", "@daily", "@weekly", "@monthly", "@yearly"].entries()) {
      const view = await engine.deploy({ ...odd, revision, schedule, timezone: "Europe/Berlin" }, never);
      assert.deepEqual([view.pipelineId, view.name, view.schedule], [ODD, ODD, schedule]);
      assert.ok(view.nextRunAt);
    }
    const runId = crypto.randomUUID();
    await engine.start(requestOf(runId, ODD), never);
    const { run } = await runner.end(runId);
    assert.equal(run.pipelineId, ODD);
    await engine.acknowledge(runId, never);
    await engine.remove(ODD, 9, never);
    await until("nothing left", async () => (await ourObjects(world)).length === before.length, { lookMs: 200 });
  } finally {
    await runner.close();
  }
});

/** Settings that contradict ours or are none, as files and variables. */
const SETTINGS: readonly { files?: Record<string, string>; env: Record<string, string>; says: RegExp[] }[] = [
  {
    env: { ARGO_INGESTION_CONTAINER_SPEC_FILE_PATH: "/container.yaml" },
    files: {
      "/container.yaml":
        "name: other\nimage: x\ncommand: [x]\nsecurityContext: {privileged: true}\nenv: [{name: config, value: x}]\n" +
        "volumeMounts: [{name: v, mountPath: /hybrid-runner}]\nnonsense: 1",
    },
    says: [
      /name.*main/,
      /image.*INGESTION_IMAGE/,
      /command/,
      /privileged/,
      /runner itself sets it/,
      /mounts there/,
      /nonsense/,
    ],
  },
  {
    env: { ARGO_INGESTION_WORKFLOW_SPEC_FILE_PATH: "/workflow.yaml" },
    files: {
      "/workflow.yaml": "entrypoint: x\nsynchronization: {}\npodSpecPatch: x\nhostNetwork: true\nttlStrategy: {}\n" +
        "securityContext: {runAsUser: 0}\nvolumes: [{name: v, hostPath: {path: /}}]",
    },
    says: [
      /entrypoint.*runner itself/,
      /synchronization/,
      /podSpecPatch/,
      /hostNetwork.*node/,
      /ttlStrategy/,
      /root/,
      /hostPath/,
    ],
  },
  {
    env: { ARGO_INGESTION_WORKFLOW_SPEC_FILE_PATH: "/workflow.yaml" },
    files: { "/workflow.yaml": "a: [b" },
    says: [/\/workflow\.yaml: it is no YAML/],
  },
  { env: { ARGO_INGESTION_CONTAINER_SPEC_FILE_PATH: "/nowhere.yaml" }, says: [/FILE_PATH is "\/nowhere\.yaml"/] },
  { env: { INGESTION_IMAGE: "not an image!" }, says: [/INGESTION_IMAGE is "not an image!".*accepted: .*PATH/] },
  { env: { INGESTION_NAMESPACE: "Not A Namespace" }, says: [/INGESTION_NAMESPACE is "Not A Namespace"/] },
  { env: { INGESTION_MEMORY_LIMIT: "lots" }, says: [/INGESTION_MEMORY_LIMIT is "lots".*quantity/] },
  { env: { INGESTION_CPU_REQUEST: "64" }, says: [/INGESTION_CPU_REQUEST 64 is above INGESTION_CPU_LIMIT/] },
];

worlds("settings that contradict ours are refused before anything is done", { seconds: 30 }, async (world) => {
  for (const { env, files = {}, says } of SETTINGS) {
    const fault = await faultOf(() => jobPodsOf(world, { env, files }));
    assert.equal(fault?.code, "invalid", `${JSON.stringify(env)}: ${fault?.message}`);
    for (const each of says) assert.match(fault?.message ?? "", each);
  }
  const only = { "/workflow.yaml": "archiveLogs: true" };
  const env = { ARGO_INGESTION_WORKFLOW_SPEC_FILE_PATH: "/workflow.yaml" };
  const fault = await faultOf(() => jobPodsOf(world, { env, files: only }));
  if (world.engine === "argo") assert.equal(fault, undefined);
  else assert.match(fault?.message ?? "", /Kubernetes Jobs have no archiveLogs.*EXECUTOR_TYPE=argo/);
});

worlds("a namespace that does not exist is named", { seconds: 60 }, async (world) => {
  const config = await findCluster({ env: (name) => Deno.env.get(name) }, never);
  const admin = createClusterAccess(config, { clock: systemClock, log: () => {}, random: { float: Math.random } });
  const namespace = `hr-nowhere-${crypto.randomUUID().slice(0, 8)}`;
  const rows = { small: scriptRow("true") };
  // Whoever may do everything hears that it is absent; the runner's account, that it may not.
  const runners = {
    not_found: await openRunner(world, { rows, namespace, access: admin }),
    denied: await openRunner(world, { rows, namespace }),
  };
  try {
    for (const [code, runner] of Object.entries(runners)) {
      for (const act of [() => runner.engine.deploy(jobOf("small"), never), () => runner.run(jobOf("small"))]) {
        const fault = await faultOf(act);
        assert.equal(fault?.code, code, fault?.message);
        assert.ok(fault?.message.includes(namespace), fault?.message);
      }
    }
    const health = await runners.denied.engine.health(never);
    assert.ok(!health.healthy && health.message.includes(namespace), health.message);
  } finally {
    await Promise.all(Object.values(runners).map((runner) => runner.close()));
    admin.close();
  }
});

async function faultOf(act: () => unknown): Promise<Fault | undefined> {
  try {
    await act();
    return undefined;
  } catch (error) {
    if (isFault(error)) return error;
    throw error;
  }
}
