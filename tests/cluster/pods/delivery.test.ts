/**
 * The document and its secrets on their way to real jobs, under the restricted standard: what arrives is what was
 * written, and what is secret is found nowhere else in the cluster.
 */
import assert from "node:assert/strict";
import type { Job } from "../../../mod/job.ts";
import type { Run } from "../../../mod/run.ts";
import type { World } from "../world.ts";
import { allObjects } from "./all_objects.ts";
import { jobOf, openRunner, scriptRow, type TestRunner } from "./runner.ts";
import { openWitness, type Witness } from "./witness.ts";
import { worlds } from "./worlds.ts";

const never = new AbortController().signal;
const SECRET = "canary-secret-3f9a4d21";
const DOCUMENT = "canary-document-77c0e5b8";
/** What JSON, YAML, shells, Kubernetes and Argo each have their own ideas about. */
const ODD = [
  `'"\`\\ $(pipelineType) $$(x) $\{HOME} $HOME %s {{workflow.name}} {{=1+1}} {{ }} {% raw %} #no: comment, - [x] {y: z}`,
  "tab\tline\nreturn\r\nbell\u0007 escape\u001b nul\u0000 delete\u007f next\u0085 separator\u2028\u2029 bom\ufeff",
  "é e\u0301 ü ß 漢字 עברית 🦊 \u200b\u200e\ud83d\udc68\u200d\ud83d\udc69",
  " leading and trailing ",
].join("\n");
const ODD_SECRET = `${SECRET} ${ODD.replaceAll("\u0000", "")}`;
const LOOK = `sha256sum < "$HYBRID_RUNNER_CONFIG"; printf %s "$ODD" | sha256sum; ls -ln "$HYBRID_RUNNER_CONFIG"; ` +
  `ls /var/run/secrets/kubernetes.io/serviceaccount 2>&1; id -u; grep -c . /proc/self/environ`;

/** A job, and what its log must hold. */
interface Case {
  job: Partial<Job> & { type: string };
  wants: (world: World, log: string, run: Run) => Promise<void>;
}

const connection = {
  source: { serviceConnection: { config: { password: "secret:/shop/db", odd: "secret:/shop/odd" } } },
};
const openMetadata = (test: object, more: object = {}) =>
  JSON.stringify({ ...connection, note: DOCUMENT, odd: ODD, test, ...more });
const digests = ["source.serviceConnection.config.password", "source.serviceConnection.config.odd", "odd"];
const resolved = async (log: string) => {
  assert.match(log, lineOf("source.serviceConnection.config.password", await sha256(SECRET)));
  assert.match(log, lineOf("source.serviceConnection.config.odd", await sha256(ODD_SECRET)));
  assert.match(log, lineOf("odd", await sha256(ODD)));
  assert.match(log, /^document in \/proc\/self\/environ: no$/m);
  assert.match(log, /^token mounted: no$/m);
};
const PLAIN = `# A document without references, byte for byte\r\n${JSON.stringify({ note: DOCUMENT, odd: ODD })}\n\n`;
const INJECTED = (value: string) => JSON.stringify({ note: DOCUMENT, odd: ODD, password: value });

const CASES: Readonly<Record<string, Case>> = {
  "the runner's own job": {
    job: { type: "canary", document: `note: ${DOCUMENT}` },
    wants: (_, log) => Promise.resolve(assert.match(log, /^hybrid-runner /)),
  },
  "main.py, resolved": {
    job: { type: "metadata", document: openMetadata({ digests }) },
    wants: async (_, log, { runId }) => {
      assert.match(log, /^entry: main\npipelineType: metadata$/m);
      assert.ok(log.includes(`pipelineRunId: ${runId}\n`), log);
      await resolved(log);
    },
  },
  "a document beyond what a variable can hold": {
    job: { type: "profiler", document: openMetadata({ digests }, { big: "x".repeat(700 * 1024) }) },
    wants: async (_, log) => {
      assert.match(log, /^document: 7[12]\d{4} characters$/m);
      await resolved(log);
    },
  },
  "an application's runner, resolved": {
    job: { type: "application", kind: "application", document: openMetadata({ digests }) },
    wants: async (_, log) => {
      assert.match(log, /^entry: application$/m);
      await resolved(log);
    },
  },
  "an automation keeps references as the framework's own ids": {
    job: {
      type: "TEST_CONNECTION",
      kind: "automation",
      document: JSON.stringify({
        request: { password: "secret:/shop/db" },
        note: DOCUMENT,
        openMetadataServerConnection: { hostPort: "http://catalogue:8585/api" },
        test: {
          digests: [
            "request.password",
            "openMetadataServerConnection.secretsManagerProvider",
            "openMetadataServerConnection.secretsManagerLoader",
          ],
        },
      }),
    },
    wants: async (_, log) => {
      assert.match(log, /^entry: automation$/m);
      assert.match(log, lineOf("request.password", await sha256("secret:shop-db")));
      assert.match(log, lineOf("openMetadataServerConnection.secretsManagerProvider", await sha256("kubernetes")));
      assert.match(log, lineOf("openMetadataServerConnection.secretsManagerLoader", await sha256("env")));
      // The framework reads it by the pod's own account.
      assert.match(log, /^token mounted: yes$/m);
    },
  },
  "a file, resolved": {
    job: { type: "file", document: INJECTED("secret:/shop/db") },
    wants: async (_, log) => {
      const [document, env, listing, ...rest] = log.split("\n");
      assert.equal(document, `${await sha256(INJECTED(SECRET))}  -`);
      assert.equal(env, `${await sha256(ODD_VARIABLE)}  -`);
      assert.match(listing ?? "", /^-r--r----- +1 1000 +1000 /);
      assert.match(rest.join("\n"), /serviceaccount: No such file or directory\n1000\n/);
    },
  },
  "a file without references, byte for byte": {
    job: { type: "file", document: PLAIN },
    wants: async (_, log) => {
      assert.equal(log.split("\n")[0], `${await sha256(PLAIN)}  -`);
      assert.match(log, /serviceaccount: No such file or directory/);
    },
  },
};

/** As a variable of the wire: no NUL fits into one, and what Argo would fill in is refused. */
const ODD_VARIABLE = ODD.replaceAll("\u0000", "").replaceAll("{{", "{ {");
/** An annotation takes any text. */
const ODD_NAME = ODD.replaceAll("\u0000", "");

worlds("documents and secrets reach the job, and nobody else", { seconds: 150 }, async (world) => {
  await world.createSecret("shop-db", { value: SECRET });
  await world.createSecret("shop-odd", { value: ODD_SECRET });
  const witness = openWitness(world, ["pods", "events"].map((resource) => world.at(resource)));
  const rows = { file: scriptRow(LOOK), denied: scriptRow("true") };
  const runner = await openRunner(world, { rows });
  try {
    await Promise.all(
      Object.entries(CASES).map(async ([name, { job, wants }]) => {
        try {
          const { type, ...more } = job;
          const env = type === "file" ? { env: { ODD: ODD_VARIABLE } } : {};
          const runId = await runner.run(jobOf(type, { name: `${name} ${ODD_NAME}`, ...env, ...more }));
          const { run } = await runner.end(runId);
          const log = await logOf(runner, runId);
          assert.equal(run.state, "success", `${JSON.stringify(run)} ${log}`);
          await wants(world, log, run);
        } catch (error) {
          throw new Error(`${name}: ${error instanceof Error ? error.message : error}`, { cause: error });
        }
      }),
    );
    await nowhereElse(world, runner, witness);
  } finally {
    await Promise.all([runner.close(), witness.close()]);
  }
});

/** A failing run too: what explains it must not hold a value either. */
async function nowhereElse(world: World, runner: TestRunner, witness: Witness): Promise<void> {
  const failing = await runner.run(jobOf("file", {
    pipelineId: "pipeline-denied",
    document: JSON.stringify({ note: DOCUMENT, good: "secret:/shop/db", bad: "secret:/shop/absent" }),
  }));
  await runner.engine.deploy(
    jobOf("file", {
      pipelineId: "pipeline-scheduled",
      document: INJECTED("secret:/shop/db"),
      schedule: "0 0 1 1 *",
    }),
    never,
  );
  const { run } = await runner.end(failing);
  assert.equal(run.reason?.code, "SecretNotResolved", JSON.stringify(run));

  const objects = await allObjects(world.namespace);
  const logs: [string, string][] = [];
  for (const [name, { kind, metadata, spec }] of Object.entries(objects)) {
    if (kind !== "Pod") continue;
    const { containers = [], initContainers = [] } = spec as Record<string, { name: string }[]>;
    for (const { name: container } of [...initContainers, ...containers]) {
      const body = await world.admin.open(
        "get",
        { ...world.at("pods"), name: metadata.name, subresource: "log" },
        { container },
        never,
      ).then((body) => new Response(body).text(), () => "");
      logs.push([`log of ${name} ${container}`, body]);
    }
  }
  assert.ok(logs.length >= 7, "the pods' logs were read");
  const channels: [string, string][] = [
    ...Object.entries(objects).map(([name, object]): [string, string] => [name, JSON.stringify(object)]),
    ...logs,
    ...[...runner.told].map(([runId, views]): [string, string] => [`told run ${runId}`, JSON.stringify(views)]),
    ...["pods", "events"].flatMap((resource) =>
      witness.seen(resource).map(({ object }): [string, string] => [
        `${resource} ${object.metadata.name} as it was`,
        JSON.stringify(object),
      ])
    ),
    ["the runner's log", runner.logged.join("\n")],
  ];
  const holding = (canary: string) =>
    channels.filter(([, text]) => spellings(canary).some((each) => text.includes(each))).map(([name]) => name).sort();
  assert.deepEqual(holding(SECRET), ["Secret/shop-db", "Secret/shop-odd"]);
  const documents = holding(DOCUMENT);
  // One of each run's own, one of the deployed revision.
  assert.equal(documents.length, Object.keys(CASES).length + 2, documents.join(", "));
  for (const name of documents) assert.match(name, /^Secret\/hr-/);
  // deno-lint-ignore no-console
  console.log(
    `${world.engine}: canaries sought in ${Object.keys(objects).length} objects, ${logs.length} pod logs, ` +
      `${channels.length} texts in all: found in the Secrets that carry them, and nowhere else`,
  );
}

/** Raw, and in base64 at each of the three places where it may begin within another text. */
function spellings(text: string): string[] {
  const shifted = [0, 1, 2].map((shift) => {
    const encoded = new TextEncoder().encode("\0".repeat(shift) + text).toBase64();
    return encoded.slice(shift === 0 ? 0 : 4, -4);
  });
  return [text, ...shifted];
}

async function logOf({ engine }: TestRunner, runId: string): Promise<string> {
  const lines: string[] = [];
  for await (const piece of engine.logs(runId, { follow: false }, never)) {
    if (piece.kind === "lines") lines.push(...piece.lines);
  }
  return lines.join("\n") + "\n";
}

function lineOf(what: string, value: string): RegExp {
  return new RegExp(`^${RegExp.escape(`${what}: ${value}`)}$`, "m");
}

async function sha256(text: string): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text))).toHex();
}
