/** What settings, rows, custom files and the job itself may say of the pod, and what each may not. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { formatExtraEnv, parseExtraEnv } from "../../adapters/engine/pod/extra_env.ts";
import { parseImage } from "../../adapters/engine/pod/image.ts";
import { resourcesOf } from "../../adapters/engine/pod/resources.ts";
import { isFault } from "../../mod/fault.ts";
import type { Job } from "../../mod/job.ts";
import { test } from "../limited.ts";
import { envOf, job, made, OM, podsOf, unrestricted, type World } from "./pod_world.ts";

const DEFAULTS = {
  serviceAccountName: "ingestion",
  automountServiceAccountToken: false,
  restartPolicy: "Never",
  terminationGracePeriodSeconds: 60,
};

test("pod settings: what holds where nothing is said", async () => {
  const { spec, main, retries, labels, annotations, workflowSpec } = made(await podsOf(), job());
  const { initContainers: _, containers: __, volumes: ___, securityContext: ____, ...rest } = spec;
  assert.deepEqual(rest, DEFAULTS);
  assert.deepEqual([retries, labels, annotations, workflowSpec], [0, {}, {}, {}]);
  assert.equal(main.image, OM);
  const amounts = { cpu: "1000m", memory: "4096Mi" };
  assert.deepEqual(main.resources, { requests: amounts, limits: amounts });
  const automation = made(await podsOf(), job({ kind: "automation", document: "{}" })).main;
  assert.deepEqual(automation.resources, {
    requests: { cpu: "200m", memory: "256Mi" },
    limits: { cpu: "500m", memory: "512Mi" },
  });
});

const EVERYTHING = `
ingestion:
  pipelineTypes:
    default:
      labels: {team: data, app.example/x: "1"}
      tolerations: [{key: a, operator: Exists}]
      nodeSelector: {zone: a, disk: ssd}
      imagePullSecrets: [own]
      volumes: [{name: ca, configMap: {name: ca}}]
      volumeMounts: [{name: ca, mountPath: /ca, readOnly: true}]
    pipeline:
      tolerations: [{key: b, operator: Exists}]
      nodeSelector: {zone: b}
      deadlineSeconds: 100
    metadata:
      imagePullPolicy: Always
      annotations: {note: "any text"}
      affinity: {nodeAffinity: {x: y}}
      priorityClassName: high
      serviceAccountName: own
      retries: 2
      runAsUser: 5000
      readOnlyRootFilesystem: true
      terminationGracePeriodSeconds: 5
      schedulerName: mine
      runtimeClassName: gvisor
      dnsPolicy: None
      dnsConfig: {nameservers: [10.0.0.1]}
      hostAliases: [{ip: 10.0.0.2, hostnames: [db]}]
      volumes: [{name: data, persistentVolumeClaim: {claimName: d}}]
      volumeMounts: [{name: data, mountPath: /data}]
    usage: {activeDeadlineSeconds: 50}
`;

test("pod settings: default < kind < type, and every field lands where Kubernetes has it", async () => {
  const pods = await podsOf({ file: EVERYTHING, env: { INGESTION_IMAGE_PULL_SECRETS: "a, own" } });
  const { spec, main, ...pod } = made(pods, job());
  const { initContainers: _, containers: __, volumes = [], ...rest } = spec;
  assert.deepEqual(rest, {
    ...DEFAULTS,
    serviceAccountName: "own",
    terminationGracePeriodSeconds: 5,
    activeDeadlineSeconds: 100,
    imagePullSecrets: [{ name: "a" }, { name: "own" }],
    nodeSelector: { zone: "b", disk: "ssd" },
    tolerations: [{ key: "a", operator: "Exists" }, { key: "b", operator: "Exists" }],
    affinity: { nodeAffinity: { x: "y" } },
    priorityClassName: "high",
    schedulerName: "mine",
    runtimeClassName: "gvisor",
    dnsPolicy: "None",
    dnsConfig: { nameservers: ["10.0.0.1"] },
    hostAliases: [{ ip: "10.0.0.2", hostnames: ["db"] }],
    securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" }, runAsUser: 5000, fsGroup: 5000 },
  });
  assert.deepEqual(volumes.map(({ name }) => name).slice(-3), ["hybrid-runner-tmp", "ca", "data"]);
  assert.deepEqual(main.volumeMounts?.map(({ mountPath }) => mountPath), ["/hybrid-runner", "/tmp", "/ca", "/data"]);
  assert.equal(main.securityContext?.readOnlyRootFilesystem, true);
  assert.deepEqual([main.imagePullPolicy, pod.retries], ["Always", 2]);
  assert.deepEqual(pod.labels, { team: "data", "app.example/x": "1" });
  assert.deepEqual(pod.annotations, { note: "any text" });
  assert.deepEqual(unrestricted(spec), []);
  const usage = made(pods, job({ type: "usage", deadlineSeconds: 7, retries: 1 }));
  assert.deepEqual([usage.spec.activeDeadlineSeconds, usage.retries], [7, 1]);
  assert.equal(made(pods, job({ type: "usage" })).spec.activeDeadlineSeconds, 50);
  // A type that is named like a kind gets no row of other jobs.
  assert.equal(
    made(pods, job({ kind: "automation", type: "pipeline", document: "{}" })).spec.activeDeadlineSeconds,
    undefined,
  );
});

test("pod settings: on OpenShift the cluster says the user", async () => {
  const { spec } = made(await podsOf({ file: row("default", "runAsUser: null") }), job());
  assert.deepEqual(spec.securityContext, { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } });
});

test("pod settings: the rows of the variables: each engine has its own, or the other's; the file says the last word", async () => {
  const argo = { ARGO_PIPELINE_TYPE_CONFIGS: '{"default":{"priorityClassName":"argo","schedulerName":"s"}}' };
  const jobs = { SIMPLEK8S_PIPELINE_TYPE_CONFIGS: '{"default":{"priorityClassName":"jobs"}}' };
  const classOf = async (world: World) => made(await podsOf(world), job()).spec.priorityClassName;
  assert.equal(await classOf({ env: argo, engine: "kubernetes" }), "argo");
  assert.equal(await classOf({ env: jobs, engine: "argo" }), "jobs");
  assert.equal(await classOf({ env: { ...argo, ...jobs }, engine: "argo" }), "argo");
  assert.equal(await classOf({ env: { ...argo, ...jobs }, engine: "kubernetes" }), "jobs");
  const { spec } = made(await podsOf({ env: argo, file: row("default", "priorityClassName: file") }), job());
  assert.deepEqual([spec.priorityClassName, spec.schedulerName], ["file", "s"]);
});

const CONTAINER = `
name: main
env: [{name: HTTPS_PROXY, value: http://proxy:3128}]
volumeMounts: [{name: ca, mountPath: /ca}]
resources: {limits: {memory: 9Gi}}
securityContext: {runAsUser: 2000, readOnlyRootFilesystem: true, allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
workingDir: /work
envFrom: [{configMapRef: {name: c}}]
`;
const WORKFLOW = `
tolerations: [{key: spot, operator: Exists}]
podPriorityClassName: high
volumes: [{name: ca, configMap: {name: ca}}]
securityContext: {fsGroup: 3000, supplementalGroups: [4000], runAsNonRoot: true}
podMetadata: {labels: {team: data}, annotations: {a: b}}
activeDeadlineSeconds: 99
`;
const FILES = {
  ARGO_INGESTION_CONTAINER_SPEC_FILE_PATH: "/c.yaml",
  ARGO_INGESTION_WORKFLOW_SPEC_FILE_PATH: "/w.yaml",
};

test("pod settings: the custom files hold on both engines, below the rows", async () => {
  for (const engine of ["argo", "kubernetes"] as const) {
    const files = { "/c.yaml": CONTAINER, "/w.yaml": WORKFLOW };
    const pods = await podsOf({ env: FILES, files, engine, file: row("usage", "env: {HTTPS_PROXY: other}") });
    const { spec, main, labels, annotations, workflowSpec } = made(pods, job());
    assert.equal(envOf(main).HTTPS_PROXY, "http://proxy:3128");
    assert.equal(envOf(spec.initContainers?.[0] ?? main).HTTPS_PROXY, "http://proxy:3128");
    assert.deepEqual([main.workingDir, main.envFrom, main.name, main.image], [
      "/work",
      [{ configMapRef: { name: "c" } }],
      "main",
      OM,
    ]);
    assert.deepEqual(main.resources?.limits, { cpu: "1000m", memory: "9Gi" });
    assert.deepEqual(main.volumeMounts?.map(({ mountPath }) => mountPath), ["/hybrid-runner", "/tmp", "/ca"]);
    assert.deepEqual(spec.securityContext, {
      runAsNonRoot: true,
      seccompProfile: { type: "RuntimeDefault" },
      runAsUser: 2000,
      fsGroup: 3000,
      supplementalGroups: [4000],
    });
    assert.deepEqual([spec.tolerations, spec.priorityClassName, spec.activeDeadlineSeconds], [
      [{ key: "spot", operator: "Exists" }],
      "high",
      99,
    ]);
    assert.deepEqual([labels, annotations, workflowSpec], [{ team: "data" }, { a: "b" }, {}]);
    assert.deepEqual(unrestricted(spec), []);
    assert.equal(envOf(made(pods, job({ type: "usage" })).main).HTTPS_PROXY, "other");
  }
});

test("pod settings: what only a Workflow has goes to Argo, and Jobs refuse it", async () => {
  const world = {
    env: { ARGO_INGESTION_WORKFLOW_SPEC_FILE_PATH: "/w.yaml" },
    files: { "/w.yaml": "parallelism: 2\npodGC: {strategy: OnPodSuccess}" },
  };
  const { workflowSpec } = made(await podsOf({ ...world, engine: "argo" }), job());
  assert.deepEqual(workflowSpec, { parallelism: 2, podGC: { strategy: "OnPodSuccess" } });
  await assert.rejects(podsOf({ ...world, engine: "kubernetes" }), {
    code: "invalid",
    message: /^Cannot use \/w\.yaml: Kubernetes Jobs have no parallelism/,
  });
});

/** Where it stands, what is written there, and the sentence that refuses it. */
const refused: ["row" | "container" | "workflow", string, RegExp][] = [
  ["row", "privileged: true", /Unrecognized key: "privileged"/],
  ["row", "hostNetwork: true", /hostNetwork/],
  ["row", "volumes: [{name: x, hostPath: {path: /}}]", /hostPath .* never let in/],
  ["row", "volumes: [{name: x, secret: {}, hostPath: {path: /}}]", /hostPath/],
  ["row", "volumes: [{name: api-token, secret: {}}]", /the runner's own are/],
  ["row", "volumeMounts: [{name: x, mountPath: /hybrid-runner/config}]", /itself mounts there/],
  ["row", "volumeMounts: [{name: x, mountPath: /var/run}]", /itself mounts there/],
  ["row", "volumeMounts: [{name: x, mountPath: /x}]", /names the volume x .* no volumes declare it/],
  ["row", "env: {config: x}", /the runner itself sets it/],
  ["row", "env: [{name: pipelineRunId, value: x}]", /the runner itself sets it/],
  ["row", "labels: {hybrid-runner.dev/run: x}", /the runner's own/],
  ["row", "labels: {a: 'b c'}", /no label's value/],
  ["row", "runAsUser: 0", /0 is root/],
  ["row", "image: 'UPPER'", /no image's name/],
  ["row", "resources: {limits: {cpu: fast}}", /no quantity/],
  ["row", "delivery: pigeon", /file.*python-env/],
  ["row", "deadlineSecond: 3", /Unrecognized key: "deadlineSecond"/],
  ["row", "deadlineSeconds: 3, activeDeadlineSeconds: 4", /Unrecognized key: "activeDeadlineSeconds"/],
  ["container", "name: other", /names the job's container/],
  ["container", "image: x", /INGESTION_IMAGE/],
  ["container", "command: [x]", /command of a pipeline type/],
  ["container", "args: [x]", /args of a pipeline type/],
  ["container", "securityContext: {privileged: true}", /securityContext\.privileged/],
  ["container", "securityContext: {allowPrivilegeEscalation: true}", /securityContext\.allowPrivilegeEscalation/],
  ["container", "securityContext: {capabilities: {add: [SYS_ADMIN]}}", /securityContext\.capabilities/],
  ["container", "securityContext: {runAsUser: 0}", /0 is root/],
  ["container", "securityContext: {seccompProfile: {type: Unconfined}}", /seccompProfile/],
  ["container", "terminationMessagePolicy: FallbackToLogsOnError", /never copied/],
  ["container", "volumeMounts: [{name: x, mountPath: /hybrid-runner}]", /itself mounts there/],
  ["container", "[1]", /expected object/],
  ["container", "a: [", /\/f\.yaml: it is no YAML/],
  ...["entrypoint: x", "templates: []", "synchronization: {}", "ttlStrategy: {}", "shutdown: Stop", "suspend: true"]
    .map(
      (
        text,
      ): ["workflow", string, RegExp] => ["workflow", text, new RegExp(`${text.split(":")[0]}: the runner itself`)],
    ),
  ["workflow", "hooks: {}", /hooks: the runner itself/],
  ["workflow", "podSpecPatch: x", /podSpecPatch: the runner itself/],
  ["workflow", "retryStrategy: {}", /retries of a job/],
  ["workflow", "hostNetwork: true", /opens the node/],
  ["workflow", "volumes: [{name: x, hostPath: {path: /}}]", /hostPath/],
  ["workflow", "securityContext: {runAsNonRoot: false}", /securityContext\.runAsNonRoot/],
  ["workflow", "securityContext: {sysctls: []}", /sysctls/],
  ["workflow", "tolerance: 1", /Unrecognized key: "tolerance"/],
];
for (const [where, text, says] of refused) {
  test(`pod settings: ${where}: refused: ${text}`, async () => {
    const path = where === "container" ? "CONTAINER" : "WORKFLOW";
    const world: World = where === "row"
      ? { file: row("metadata", text) }
      : { env: { [`ARGO_INGESTION_${path}_SPEC_FILE_PATH`]: "/f.yaml" }, files: { "/f.yaml": text } };
    await assert.rejects(podsOf(world), (error) => {
      assert(isFault(error, "invalid"), String(error));
      assert.match(error.message, says);
      assert(where === "row" || error.message.includes("/f.yaml"), error.message);
      return true;
    });
  });
}

test("pod settings: what the job says wins: image, resources, account, labels", async () => {
  const { main, spec, labels } = made(
    await podsOf({ file: EVERYTHING }),
    job({
      image: "acme/x:1",
      resources: { limits: { cpu: "250m" } },
      serviceAccount: "special",
      labels: { team: "mine" },
    }),
  );
  assert.equal(main.image, "acme/x:1");
  assert.equal(spec.serviceAccountName, "special");
  assert.equal(labels.team, "mine");
  // A request above the limit would be refused by the API server: it follows.
  assert.deepEqual(main.resources, {
    requests: { cpu: "250m", memory: "4096Mi" },
    limits: { cpu: "250m", memory: "4096Mi" },
  });
});

const wrongJobs: [Partial<Job>, string][] = [
  [{ image: "not an image" }, "image"],
  [{ image: "acme/X" }, "image"],
  [{ serviceAccount: "Not_A_Name" }, "serviceAccount"],
  [{ labels: { a: "b c" } }, "labels.a"],
  [{ labels: { "a b": "c" } }, "labels.a b"],
  [{ env: { pipelineType: "x" } }, "env.pipelineType"],
  [{ env: { HYBRID_RUNNER_CONFIG: "x" } }, "env.HYBRID_RUNNER_CONFIG"],
  [{ env: { GIVEN: "x" } }, "env.GIVEN"],
  [{ env: { A: "{{workflow.name}}" } }, "env.A"],
  [{ type: "{{workflow.name}}" }, "type"],
  [{ resources: { requests: { cpu: "2" }, limits: { cpu: "1" } } }, "resources.requests.cpu"],
  [{ resources: { limits: { memory: "9".repeat(30) } } }, "resources.limits.memory"],
  [{ document: "a: [" }, "document"],
  [{ document: "source: {serviceConnection: {p: 'secret:/Upper'}}" }, "document"],
  [{ document: "source: {serviceConnection: {p: 'secret:/a?b=c'}}" }, "document"],
  [{ kind: "automation", document: "p: secret:/a#key" }, "document"],
];
for (const [members, path] of wrongJobs) {
  test(`pod settings: a job that is refused before anything is created: ${JSON.stringify(members).slice(0, 60)}`, async () => {
    const pods = await podsOf({ env: { INGESTION_EXTRA_ENVS: "[GIVEN:x]" } });
    assert.throws(() => pods.prepare(job(members)), (error) => {
      assert(isFault(error, "invalid"), String(error));
      assert.equal(error.details.path, path);
      return true;
    });
  });
}

test("pod settings: an image that is nowhere named, and our own where it is needed, are told", async () => {
  const bare = await podsOf({ env: { INGESTION_IMAGE: "", HYBRID_RUNNER_IMAGE: "" } });
  assert.throws(() => bare.prepare(job()), { code: "invalid", message: /set INGESTION_IMAGE/ });
  assert.throws(() => bare.prepare(job({ image: "acme/x" })), { code: "unavailable", message: /HYBRID_RUNNER_IMAGE/ });
  assert.throws(() => bare.prepare(job({ type: "canary", document: "{}" })), { code: "unavailable" });
  assert.equal(made(bare, job({ image: "acme/x", document: "{}" })).main.image, "acme/x");
});

const images: [string, string | undefined][] = [
  ["busybox", "docker.io/library/busybox"],
  ["acme/x", "docker.io/acme/x"],
  ["index.docker.io/acme/x", "docker.io/acme/x"],
  ["localhost/x", "localhost/x"],
  ["registry.example:5000/a/b-c__d.e:v1.2_3", "registry.example:5000/a/b-c__d.e"],
  [`[::1]:5000/x@sha256:${"0".repeat(64)}`, "[::1]:5000/x"],
  [`a/x:1@sha256:${"0".repeat(64)}`, "docker.io/a/x"],
  ...["", " x", "x ", "X", "a/B", "a//b", "/a", "a/", "a:b:c", "a@sha256:12", "a:", "http://a/b", "a b", "a\n"].map(
    (text): [string, undefined] => [text, undefined],
  ),
  [`a:${"t".repeat(129)}`, undefined],
  ["a/".repeat(200) + "a", undefined],
];
for (const [text, repository] of images) {
  test(`pod settings: image ${JSON.stringify(text).slice(0, 60)}`, () => {
    assert.equal(parseImage(text)?.repository, repository);
  });
}

test("pod settings: amounts: the one said closest counts, and its partner follows", () => {
  const level = (request?: string, limit?: string) => ({
    ...request === undefined ? {} : { requests: { cpu: request } },
    ...limit === undefined ? {} : { limits: { cpu: limit } },
  });
  const both = (amounts: ReturnType<typeof resourcesOf>) => [amounts.requests.cpu, amounts.limits.cpu];
  assert.deepEqual(both(resourcesOf(level("1", "1"), level(undefined, "500m"))), ["500m", "500m"]);
  assert.deepEqual(both(resourcesOf(level("1", "1"), undefined, level("2"))), ["2", "2"]);
  assert.deepEqual(both(resourcesOf(level("1", "1"), level("700m", "0.7"))), ["700m", "0.7"]);
  assert.deepEqual(both(resourcesOf(level("1"))), ["1", undefined]);
  assert.throws(() => resourcesOf(level("1", "1"), level("2", "1")), { code: "invalid" });
});

const lists: [string, [string, string][] | undefined][] = [
  ["[]", []],
  ["[a:1]", [["a", "1"]]],
  ["[URL:http://x:80/,B:2]", [["URL", "http://x:80/"], ["B", "2"]]],
  ["[NO_PROXY:a,b,.c, B:2]", [["NO_PROXY", "a,b,.c"], ["B", "2"]]],
  ["[A:]", [["A", ""]]],
  ["[A:1,A:2]", [["A", "2"]]],
  ["A:1", undefined],
  ["[A]", undefined],
  ["[1A:x]", undefined],
  ["[:x]", undefined],
];
for (const [text, pairs] of lists) {
  test(`pod settings: extra variables ${text}`, () => assert.deepEqual(parseExtraEnv(text), pairs));
}

test("pod settings: law: extra variables are read as they were written", () => {
  const name = fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,8}$/);
  const value = fc.string().filter((text) =>
    text === text.trim() && !/,\s*[A-Za-z_][A-Za-z0-9_]*:?/.test(text) && !text.endsWith(",")
  );
  fc.assert(fc.property(fc.uniqueArray(fc.tuple(name, value), { selector: ([name]) => name }), (pairs) => {
    assert.deepEqual(parseExtraEnv(formatExtraEnv(pairs)), pairs);
  }));
});

function row(type: string, members: string): string {
  return `ingestion:\n  pipelineTypes:\n    ${type}: {${members}}\n`;
}
