/** `resolve` as the init container of a real pod, and the suite's own images: both work under the Restricted standard. */
import assert from "node:assert/strict";
import * as z from "zod/mini";
import { secretRules } from "../../adapters/engine/cluster/rights.ts";
import { test } from "../limited.ts";
import { until } from "../wait.ts";
import { absent, imageOf, TEST_IMAGES } from "./images.ts";
import { openWorld, type World } from "./world.ts";

const never = new AbortController().signal;
const CANARY = "canary-7be01d93-do-not-show";
const State = z.object({
  waiting: z.optional(z.object({ reason: z.optional(z.string()), message: z.optional(z.string()) })),
  terminated: z.optional(z.object({ exitCode: z.number(), message: z.optional(z.string()) })),
});
const Statuses = z._default(z.array(z.object({ name: z.string(), state: State })), []);
const Pod = z.object({
  status: z.object({
    phase: z.optional(z.string()),
    containerStatuses: Statuses,
    initContainerStatuses: Statuses,
  }),
});

/** What a pod of these parts came to. */
interface Outcome {
  phase: string;
  exitCodes: Record<string, number>;
  messages: Record<string, string>;
  logs: Record<string, string>;
}

interface Parts {
  which: keyof typeof TEST_IMAGES;
  command?: string[];
  args?: string[];
  env?: { name: string; value: string }[];
  user?: number;
  /** Runs `resolve` before it. */
  document?: object;
}

const restricted = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ["ALL"] },
};

async function runPod(
  world: World,
  name: string,
  { which, document, env = [], user, ...rest }: Parts,
): Promise<Outcome> {
  const { admin, at } = world;
  const mounts = [{ name: "config", mountPath: "/hybrid-runner" }];
  if (document) await world.createSecret(`${name}-document`, { document: JSON.stringify(document) });
  const resolve = {
    name: "resolve",
    image: imageOf("runner"),
    imagePullPolicy: "IfNotPresent",
    args: ["resolve"],
    env: [
      { name: "HYBRID_RUNNER_DOCUMENT", value: "/document/document" },
      { name: "HYBRID_RUNNER_TERMINATION_LOG", value: "/hybrid-runner/termination-log" },
    ],
    terminationMessagePath: "/hybrid-runner/termination-log",
    volumeMounts: [...mounts, { name: "document", mountPath: "/document", readOnly: true }],
    securityContext: restricted,
  };
  const main = {
    name: "main",
    image: imageOf(which),
    imagePullPolicy: "IfNotPresent",
    ...rest,
    env,
    volumeMounts: mounts.map((mount) => ({ ...mount, readOnly: true })),
    securityContext: restricted,
  };
  await admin.create(at("pods"), {
    metadata: { name },
    spec: {
      restartPolicy: "Never",
      serviceAccountName: "ingestion",
      automountServiceAccountToken: document !== undefined,
      securityContext: {
        runAsNonRoot: true,
        ...user === undefined ? {} : { runAsUser: user },
        fsGroup: 1000,
        seccompProfile: { type: "RuntimeDefault" },
      },
      initContainers: document ? [resolve] : [],
      containers: [main],
      volumes: [
        { name: "config", emptyDir: { medium: "Memory", sizeLimit: "4Mi" } },
        ...document ? [{ name: "document", secret: { secretName: `${name}-document`, defaultMode: 0o440 } }] : [],
      ],
    },
  }, never);
  const { status } = await until(`the end of the pod ${name}`, async () => {
    const pod = Pod.parse(await admin.get({ ...at("pods"), name }, never));
    return (/Succeeded|Failed/.test(pod.status.phase ?? "") || withoutImage(pod)) && pod;
  }, { patienceMs: 45_000, lookMs: 200 });
  const without = withoutImage({ status });
  if (without) throw absent(without.name === "resolve" ? "runner" : which, without.state.waiting?.message ?? "");
  const outcome: Outcome = { phase: status.phase ?? "", exitCodes: {}, messages: {}, logs: {} };
  for (const { name: container, state } of [...status.initContainerStatuses, ...status.containerStatuses]) {
    if (!state.terminated) continue;
    outcome.exitCodes[container] = state.terminated.exitCode;
    outcome.messages[container] = state.terminated.message ?? "";
    const body = await admin.open("get", { ...at("pods"), name, subresource: "log" }, { container }, never);
    outcome.logs[container] = await new Response(body).text();
  }
  return outcome;
}

/** A container that waits for an image which does not come. */
function withoutImage({ status }: z.infer<typeof Pod>) {
  return [...status.initContainerStatuses, ...status.containerStatuses].find(({ state }) =>
    /ErrImage|ImagePull|InvalidImage/.test(state.waiting?.reason ?? "")
  );
}

function pods(name: string, work: (world: World) => Promise<void>): void {
  test(`cluster/pod: ${name}`, async () => {
    const world = await openWorld({ engine: "kubernetes", secretNames: ["shop-db"] });
    try {
      await work(world);
    } finally {
      await world.close();
    }
  });
}

pods("the runner's image, the stand-in for OpenMetadata's and the small one run", async (world) => {
  const [runner, job, main, automation, application] = await Promise.all([
    runPod(world, "runner", { which: "runner", args: ["version"] }),
    runPod(world, "job", { which: "job", command: ["sh", "-c", "sleep 0; echo here"], user: 1000 }),
    runPod(world, "main", {
      which: "openMetadata",
      command: ["python", "main.py"],
      env: [{ name: "pipelineType", value: "metadata" }, {
        name: "config",
        value: JSON.stringify({ a: { b: "x" }, test: { print: ["one", "two"], digests: ["a.b"], exit: 3 } }),
      }],
    }),
    runPod(world, "automation", { which: "openMetadata", command: ["python", "run_automation.py"] }),
    runPod(world, "application", {
      which: "openMetadata",
      command: ["python", "-m", "metadata.applications.runner"],
      env: [{ name: "config", value: "{}" }],
    }),
  ]);
  assert.match(runner.logs.main ?? "", /^hybrid-runner /);
  assert.equal(job.logs.main, "here\n");
  assert.deepEqual([main.phase, main.exitCodes.main], ["Failed", 3]);
  assert.match(
    main.logs.main ?? "",
    /entry: main\npipelineType: metadata\n(.*\n)*a\.b: 2d711642b726b044.*\none\ntwo\n/,
  );
  assert.match(automation.logs.main ?? "", /RuntimeError: Missing environment variable `config`/);
  assert.match(application.logs.main ?? "", /entry: application/);
});

pods("resolve puts the values in memory, for user and group to read", async (world) => {
  await world.createSecret("shop-db", { value: CANARY });
  const { phase, logs, exitCodes } = await runPod(world, "good", {
    which: "job",
    command: ["sh", "-c", "ls -ln /hybrid-runner/config; sha256sum < /hybrid-runner/config; df /hybrid-runner"],
    user: 1000,
    document: { password: "secret:/shop/db" },
  });
  assert.deepEqual([phase, exitCodes], ["Succeeded", { resolve: 0, main: 0 }], JSON.stringify(logs));
  assert.match(logs.resolve ?? "", /^secret:\/shop\/db: kubernetes shop-db\n1 secret reference resolved into/);
  const digest = new Uint8Array(
    await crypto.subtle.digest("SHA-256", new TextEncoder().encode(JSON.stringify({ password: CANARY }))),
  ).toHex();
  assert.match(logs.main ?? "", /^-r--r----- +1 1000 +1000 /);
  assert.ok(logs.main?.includes(digest), logs.main);
  assert.match(logs.main ?? "", /^tmpfs /m);
  assert.ok(!JSON.stringify(logs).includes(CANARY));
});

pods("what cannot be resolved stops the pod before the job, with the reason on the pod", async (world) => {
  await world.createSecret("shop-db", { value: CANARY });
  const failing = (name: string, document: object) =>
    runPod(world, name, { which: "job", command: ["true"], user: 1000, document });
  const [denied, invalid] = await Promise.all([
    failing("denied", { good: "secret:/shop/db", bad: "secret:/shop/other" }),
    failing("invalid", { bad: "secret:/shop/../db" }),
  ]);
  assert.deepEqual([denied.phase, denied.exitCodes], ["Failed", { resolve: 1 }], JSON.stringify(denied));
  const { code, message } = JSON.parse(denied.messages.resolve ?? "");
  assert.equal(code, "denied");
  assert.ok(message.includes(`system:serviceaccount:${world.namespace}:ingestion may not get the Secret "shop-other"`));
  assert.deepEqual(invalid.exitCodes, { resolve: 2 });
  assert.equal(JSON.parse(invalid.messages.resolve ?? "").code, "invalid");
  // The very rule that the message names, and it works.
  await world.createSecret("shop-other", { value: CANARY });
  await world.grantSecrets(secretRules(["shop-other", "shop-db"]));
  const granted = await failing("granted", { good: "secret:/shop/db", bad: "secret:/shop/other" });
  assert.equal(granted.phase, "Succeeded");
  assert.ok(!JSON.stringify([denied, invalid, granted]).includes(CANARY));
});
