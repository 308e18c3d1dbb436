/** The fake cluster's Workflows and CronWorkflows act as Argo's do, and its API server is one. */
import assert from "node:assert/strict";
import { ARGO_API, CRON_WORKFLOWS, JOBS, PODS, WORKFLOWS } from "../../adapters/engine/cluster/kinds.ts";
import { parseSchedule } from "../../mod/schedule.ts";
import type { CronWorkflow, Pod, Workflow } from "../fakes/cluster/objects.ts";
import { test } from "../limited.ts";
import { until } from "../wait.ts";
import { cronWorkflow, job, workflow } from "./fake_cluster_manifests.ts";
import { inCluster, type Scene } from "./fake_cluster_scene.ts";

const PHASE = "workflows.argoproj.io/phase";
const never = new AbortController().signal;
const inPhase = (scene: Scene, name: string, phase: string) =>
  scene.becomes<Workflow>(WORKFLOWS, name, `is ${phase}`, ({ status }) => status?.phase === phase);
const running = (scene: Scene, owner: string) =>
  until(
    `a pod of ${owner} runs`,
    async () => (await scene.pods(owner)).find(({ status }) => status.phase === "Running"),
  );
const mainOf = (pod: Pod | undefined) => pod?.status.containerStatuses?.find(({ name }) => name === "main")?.state;

test("fake cluster: a Workflow runs its pod, and says so later", () =>
  inCluster(async (scene) => {
    const env = [
      { name: "BEHAVIOUR", value: '{"does":"succeed","lines":1}' },
      { name: "RUN", value: "{{workflow.uid}}" },
      { name: "BRACES", value: "{{='{{'}}x}}" },
    ];
    const container = { image: "busybox:1.36", env };
    const uid = await scene.create(WORKFLOWS, workflow("good", { does: "succeed" }, { template: { container } }));
    await until("the container's end", async () => mainOf((await scene.pods("good"))[0])?.terminated);
    assert.equal((await scene.get<Workflow>(WORKFLOWS, "good"))?.status?.phase, "Running");
    const done = await inPhase(scene, "good", "Succeeded");
    assert.equal(done.metadata.labels?.[PHASE], "Succeeded");
    assert.equal(done.metadata.labels?.["workflows.argoproj.io/completed"], "true");
    const [pod] = await scene.pods("good");
    assert.equal(pod?.metadata.name, "good");
    assert.equal(pod?.metadata.labels?.["workflows.argoproj.io/workflow"], "good");
    assert.deepEqual(pod?.spec.initContainers?.map(({ name }) => name), ["init", "resolve"]);
    assert.deepEqual(pod?.spec.containers.map(({ name, tty }) => [name, tty]), [["wait", true], ["main", undefined]]);
    assert.equal(pod?.spec.terminationGracePeriodSeconds, 5);
    assert.deepEqual(pod?.spec.containers[1]?.env?.slice(1).map(({ value }) => value), [uid, "{{x}}"]);
    assert.match(
      (await scene.log("good")).text,
      /^line 1\ntime="[^"]+" level=info msg="sub-process exited" argo=true [^\n]+\n$/,
    );
    assert.match((await scene.log("good", {})).text, /must be specified for pod good, choose one of: \[wait main\]/);
  }));

test("fake cluster: a Workflow with a variable that nobody knows fails without a pod", () =>
  inCluster(async (scene) => {
    const container = { image: "busybox:1.36", args: ["{{inputs.x}}"] };
    await scene.create(WORKFLOWS, workflow("odd", { does: "succeed" }, { template: { container } }));
    const { status } = await inPhase(scene, "odd", "Failed");
    assert.match(String(status?.message), /failed to resolve {{inputs.x}}/);
    assert.deepEqual(await scene.pods("odd"), []);
  }));

test("fake cluster: a Workflow fails after its retries, with the exit code in its words", () =>
  inCluster(async (scene) => {
    const template = { retryStrategy: { limit: "1", retryPolicy: "Always" } };
    await scene.create(WORKFLOWS, workflow("bad", { does: "fail", exitCode: 3, lines: 1 }, { template }));
    assert.equal((await inPhase(scene, "bad", "Failed")).status?.message, "No more retries left");
    assert.equal((await scene.pods("bad")).length, 2);
    for (const { metadata } of await scene.pods("bad")) assert.match(metadata.name, /^bad-main-\d+$/);
    await scene.create(WORKFLOWS, workflow("once", { does: "fail", exitCode: 4, lines: 1 }));
    assert.equal((await inPhase(scene, "once", "Failed")).status?.message, "Error (exit code 4)");
  }));

test("fake cluster: Workflows with one mutex run one after the other, and one that waits ends as Succeeded", () =>
  inCluster(async (scene) => {
    const spec = { synchronization: { mutexes: [{ name: "m" }] } };
    for (const name of ["a", "b", "c"]) await scene.create(WORKFLOWS, workflow(name, { does: "sleep" }, { spec }));
    await running(scene, "a");
    for (const name of ["b", "c"]) {
      const { status, metadata } = await inPhase(scene, name, "Pending");
      assert.match(String(status?.message), /^Waiting for jobs\/Mutex\/m lock/);
      assert.equal(status?.synchronization?.mutex?.waiting?.length, 1);
      assert.equal(metadata.labels?.[PHASE], "Pending");
    }
    await scene.patch(WORKFLOWS, "b", { spec: { shutdown: "Terminate" } });
    await inPhase(scene, "b", "Succeeded");
    assert.deepEqual(await scene.pods("b"), []);
    await scene.patch(WORKFLOWS, "a", { spec: { shutdown: "Terminate" } });
    assert.equal((await inPhase(scene, "a", "Failed")).status?.message, "Stopped with strategy 'Terminate'");
    const [stopped] = await scene.pods("a");
    assert.equal(mainOf(stopped)?.terminated?.exitCode, 143);
    await running(scene, "c");
    await scene.remove(WORKFLOWS, "c");
    await until("its pod is gone", async () => (await scene.pods("c")).length === 0);
  }));

test("fake cluster: a Workflow that is terminated before its pod runs fails, and its TTL takes it away", () =>
  inCluster(async (scene) => {
    scene.cluster.afflict("unschedulable");
    const spec = { ttlStrategy: { secondsAfterCompletion: 3600 } };
    await scene.create(WORKFLOWS, workflow("stuck", { does: "sleep" }, { spec }));
    await until("its pod", async () => (await scene.pods("stuck")).length === 1);
    assert.deepEqual(await scene.log("stuck"), { code: 204, text: "" });
    await scene.patch(WORKFLOWS, "stuck", { spec: { shutdown: "Terminate" } });
    await inPhase(scene, "stuck", "Failed");
    await scene.patch(WORKFLOWS, "stuck", { spec: { ttlStrategy: { secondsAfterCompletion: 0 } } });
    await scene.gone(WORKFLOWS, "stuck");
  }));

test("fake cluster: a Workflow whose pod is refused ends as Error", () =>
  inCluster(async (scene) => {
    scene.cluster.afflict("no-service-account");
    await scene.create(WORKFLOWS, workflow("nobody", { does: "sleep" }));
    assert.match(
      String((await inPhase(scene, "nobody", "Error")).status?.message),
      /serviceaccount "ingestion" not found/,
    );
  }));

test("fake cluster: a CronWorkflow mints a Workflow, and swallows what it cannot read", () =>
  inCluster(async (scene) => {
    await scene.create(CRON_WORKFLOWS, cronWorkflow("nightly", "0 0 1 1 *", { does: "succeed" }));
    await scene.create(CRON_WORKFLOWS, cronWorkflow("off", "0 0 1 1 *", { does: "succeed" }, { suspend: true }));
    const wrong = cronWorkflow("mars", "0 0 1 1 *", { does: "succeed" }, { timezone: "Mars/Olympus" });
    await scene.create(CRON_WORKFLOWS, wrong);
    const says = ({ status }: CronWorkflow) => status?.conditions?.some(({ type }) => type === "SpecError");
    await scene.becomes<CronWorkflow>(CRON_WORKFLOWS, "mars", "says so", says);
    const slot = parseSchedule("0 0 1 1 *", "Europe/Berlin").next(scene.clock.now()) ?? NaN;
    scene.clock.advance(slot - scene.clock.now() + 50);
    const { metadata } = await inPhase(scene, `nightly-${slot / 1000}`, "Succeeded");
    const scheduled = new Date(slot).toISOString().replace(".000", "");
    assert.equal(metadata.annotations?.["workflows.argoproj.io/scheduled-time"], scheduled);
    assert.equal(metadata.labels?.["workflows.argoproj.io/cron-workflow"], "nightly");
    assert.equal((await scene.get<CronWorkflow>(CRON_WORKFLOWS, "nightly"))?.status?.lastScheduledTime, scheduled);
    assert.equal((await scene.all(WORKFLOWS)).length, 1);
  }));

test("fake cluster: where Argo is not installed its kinds are not served", () =>
  inCluster(async ({ access, cluster, create }) => {
    assert.deepEqual(await access.served(ARGO_API, never), []);
    assert.ok((await access.served("batch/v1", never)).includes("jobs"));
    await assert.rejects(create(WORKFLOWS, workflow("x", { does: "succeed" })), /does not serve workflows/);
    assert.equal((await (await fetch(`${cluster.api.url}/version`)).json()).minor, "34");
  }, { argo: false }));

test("fake cluster: selectors, patches and grants are the API's", () =>
  inCluster(async ({ cluster, access, create, all, patch, get }) => {
    for (const [name, spec] of [["a", {}], ["b", {}], ["c", {}]] as const) {
      await create(JOBS, job(name, { does: "succeed" }, { spec: { ...spec, suspend: true } }));
    }
    await patch(JOBS, "a", { metadata: { labels: { tier: "x" } } });
    await patch(JOBS, "b", { metadata: { labels: { tier: "y" } } });
    const named = async (selector: string) =>
      (await all<Pod>(JOBS, selector)).map(({ metadata }) => metadata.name).join("");
    const cases = {
      "tier in (x, y)": "ab",
      "tier notin (x)": "bc",
      "!tier": "c",
      tier: "ab",
      "tier!=x,suite=fake": "bc",
    };
    for (const [selector, names] of Object.entries(cases)) assert.equal(await named(selector), names, selector);
    await patch(JOBS, "a", [
      { op: "test", path: "/metadata/labels/tier", value: "x" },
      { op: "replace", path: "/metadata/labels/tier", value: "z" },
      { op: "add", path: "/metadata/annotations", value: { "a/b": "1" } },
    ]);
    const { metadata } = await get<Pod>(JOBS, "a") ?? assert.fail("a is there");
    assert.deepEqual([metadata.labels?.["tier"], metadata.annotations], ["z", { "a/b": "1" }]);
    await assert.rejects(patch(JOBS, "a", [{ op: "test", path: "/metadata/labels/tier", value: "x" }]), /422/);
    await assert.rejects(patch(JOBS, "a", { spec: { template: { spec: { containers: [] } } } }), /immutable/);
    const onlyMetadata = { metadataOnly: true };
    const page = await access.page({ ...JOBS, namespace: "jobs" }, onlyMetadata, never);
    assert.deepEqual(page.items.map((item) => "spec" in item), [false, false, false]);
    assert.equal(cluster.api.count("create", "jobs"), 3);
    cluster.api.grant("admin", { pods: ["list"] });
    await assert.rejects(named("tier"), /cannot list resource "jobs" in API group "batch"/);
    assert.deepEqual(await all(PODS), []);
  }));
