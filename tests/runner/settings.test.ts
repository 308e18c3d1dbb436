/** Settings: every one missing or malformed is told, all at once, and no secret is shown. */
import assert from "node:assert/strict";
import { inspect } from "node:util";
import { parse } from "yaml";
import { readContainerSpec, readWorkflowSpec } from "../../adapters/engine/pod/custom_spec.ts";
import { readPem, readSettings } from "../../adapters/settings.ts";
import { readFileSettings } from "../../adapters/settings_file.ts";
import type { Row } from "../../adapters/settings_row.ts";
import { shownSettings } from "../../adapters/settings_shown.ts";
import { ENVIRONMENT, ROWS, WITHOUT_EFFECT } from "../../adapters/settings_table.ts";
import { isFault } from "../../mod/fault.ts";
import { reveal } from "../../mod/secrets/secret.ts";

const CANARY = "canary-7f3a";
const good = { AGENT_ID: "a", SERVER_URL: "wss://control.example", AUTH_TOKEN: CANARY };
const read = (env: Record<string, string>, file?: string) =>
  readSettings((name) => env[name], () => {
    if (file === undefined) throw new Deno.errors.NotFound("no such file");
    return file;
  });
const problemsOf = async (env: Record<string, string>, file?: string): Promise<string[]> => {
  try {
    await read(env, file);
  } catch (error) {
    assert(isFault(error, "invalid"));
    return error.message.split("\n- ").slice(1);
  }
  return [];
};

Deno.test("settings: what is needed, and nothing else, is enough", async () => {
  const { settings, warnings } = await read(good);
  assert.deepEqual(warnings, []);
  assert.deepEqual([settings.agentId, settings.secretsManager, settings.executor, settings.healthPort], [
    "a",
    "kubernetes",
    "auto",
    8585,
  ]);
  assert.equal(settings.authToken && reveal(settings.authToken), CANARY);
});

Deno.test("settings: nothing at all: every one that is needed is told at once", async () => {
  const names = (await problemsOf({})).map((problem) => problem.split(" ")[0]);
  assert.deepEqual(names, ["AGENT_ID", "SERVER_URL", "AUTH_TOKEN"]);
});

/** A value that each variable refuses. */
const BAD: Record<string, string> = {
  AGENT_ID: "x".repeat(513),
  SERVER_URL: "https://control.example",
  SECRETS_MANAGER: "lastpass",
  EXECUTOR_TYPE: "nomad",
  RECONNECT_DELAY_SECONDS: "five",
  HYBRID_RUNNER_MAX_CONNECTION_SECONDS: "-1",
  HYBRID_RUNNER_SHUTDOWN_GRACE_SECONDS: "1e9",
  ARGO_SECONDS_AFTER_COMPLETION_TTL: "599",
  HEALTH_PORT: "70000",
  HEALTH_HOST: "everywhere",
  LOG_LEVEL: "loud",
  LOG_FORMAT: "xml",
  HYBRID_RUNNER_SETTINGS: "/none.yaml",
  SERVER_HOST_API_URL: "om.example/api",
  INGESTION_SERVICE_ACCOUNT_NAME: "Ingestion",
  INGESTION_NAMESPACE: "a.b",
  SECRETS_NAMESPACE: "-a",
  INGESTION_IMAGE: "an image",
  HYBRID_RUNNER_IMAGE: "https://registry/x",
  INGESTION_IMAGE_PULL_SECRETS: "a, B",
  INGESTION_AUTOMOUNT_SA_TOKEN: "yes",
  INGESTION_CPU_LIMIT: "much",
  INGESTION_MEMORY_LIMIT: "4 GB",
  INGESTION_CPU_REQUEST: "-1",
  INGESTION_MEMORY_REQUEST: "1e9",
  INGESTION_AUTOMATION_WORKFLOW_CPU_LIMIT: "x",
  INGESTION_AUTOMATION_WORKFLOW_MEMORY_LIMIT: "x",
  INGESTION_AUTOMATION_WORKFLOW_CPU_REQUEST: "x",
  INGESTION_AUTOMATION_WORKFLOW_MEMORY_REQUEST: "x",
  HYBRID_RUNNER_START_DEADLINE_SECONDS: "0",
  PIPELINE_SERVICE_CLIENT_ENDPOINT: "argo:2746",
  ARGO_TEST_CONNECTION_BACKOFF_TIME: "soon",
};

Deno.test("settings: each malformed one is told with its name, its value and what is accepted, all at once", async () => {
  const problems = await problemsOf({ ...good, ...BAD });
  assert.deepEqual(problems.map((problem) => problem.split(" ")[0]).sort(), Object.keys(BAD).sort());
  for (const problem of problems) {
    const [name = ""] = problem.split(" ");
    assert(problem.includes(`${name} is "${BAD[name]?.slice(0, 100)}`), problem);
    assert(name === "HYBRID_RUNNER_SETTINGS" || problem.includes("accepted: "), problem);
  }
});

Deno.test("settings: every row is either free text or has a bad value in this test", () => {
  const rows: Row[] = Object.values(ROWS);
  const judged = rows.filter((row) => row.accepts !== "a path" && row.isSecret !== true);
  const untested = judged.map((row) => row.name).filter((name) => !(name in BAD));
  assert.deepEqual(untested, []);
});

for (
  const [name, env, file, says] of [
    ["the file provider without its folder", { SECRETS_MANAGER: "file" }, undefined, /^SECRETS_DIR is missing/],
    [
      "the local engine without its folder",
      { EXECUTOR_TYPE: "local" },
      undefined,
      /^HYBRID_RUNNER_STATE_DIR is missing/,
    ],
    ["a certificate without its key", { SERVER_CLIENT_CERTIFICATE_PATH: "/c.pem" }, undefined, /go together/],
    [
      "a settings file that is no YAML",
      { HYBRID_RUNNER_SETTINGS: "/s.yaml" },
      "a: [",
      /^\/s.yaml: it is no YAML/,
    ],
    ["an unknown key in the settings file", { HYBRID_RUNNER_SETTINGS: "/s.yaml" }, "lokal: {}", /lokal/],
    [
      "a wrong type in the settings file",
      { HYBRID_RUNNER_SETTINGS: "/s.yaml" },
      "local: {commands: 3}",
      /local\.commands/,
    ],
  ] as const
) {
  Deno.test(`settings: ${name} is told`, async () => {
    const [problem = ""] = await problemsOf({ ...good, ...env }, file);
    assert.match(problem, says);
  });
}

Deno.test("settings: a URL with a user, or without a host, is refused", async () => {
  for (const url of ["wss://u:p@host", "wss://", "host", "wss://host#x"]) {
    assert.match((await problemsOf({ ...good, SERVER_URL: url }))[0] ?? "", /^SERVER_URL is /, url);
  }
});

Deno.test("settings: what has no effect, and what is not safe, is said at start", async () => {
  const { warnings } = await read({
    ...good,
    SERVER_URL: "ws://x",
    AUTH_TOKEN_FILE: "/t",
    ...Object.fromEntries(Object.keys(WITHOUT_EFFECT).map((name) => [name, "true"])),
    ARGO_TOKEN: CANARY,
  });
  assert.equal(warnings.length, 4);
  assert.match(warnings[0] ?? "", /no TLS/);
  assert.match(
    warnings.join("\n"),
    /^DYNAMIC_INGESTION_VERSION_ENABLED is set and has no effect: the ingestion image/m,
  );
  assert.match(
    warnings.join("\n"),
    /^INGESTION_DISABLE_VERSION_VALIDATION is set and has no effect: .* never compared/m,
  );
  assert(!warnings.join().includes(CANARY));
});

Deno.test("settings: the jobs' pods: all may be left out, and the defaults are the documented runner's", async () => {
  const { settings } = await read(good);
  assert.deepEqual([
    settings.ingestionServiceAccount,
    settings.automountToken,
    settings.startDeadlineSeconds,
    settings.ingestionImage,
    settings.pods,
  ], ["ingestion", false, 600, undefined, undefined]);
  assert.deepEqual([settings.cpuLimit, settings.memoryRequest, settings.automationCpuLimit], [
    "1000m",
    "4096Mi",
    "500m",
  ]);
});

/** What is given, and what of it is told; no value of a variable is shown. */
const POD_PROBLEMS: [Record<string, string>, RegExp][] = [
  [{ INGESTION_EXTRA_ENVS: `P:${CANARY}` }, /^INGESTION_EXTRA_ENVS is \*\*\*: .*accepted: \[name:value/],
  [{ INGESTION_EXTRA_ENVS: `[config:${CANARY}]` }, /^INGESTION_EXTRA_ENVS is \*\*\*/],
  [{ ARGO_PIPELINE_TYPE_CONFIGS: `{"a": "${CANARY}"` }, /^ARGO_PIPELINE_TYPE_CONFIGS is \*\*\*: .*JSON object/],
  [
    { ARGO_PIPELINE_TYPE_CONFIGS: `{"metadata": {"env": {"config": "${CANARY}"}}}` },
    /^ARGO_PIPELINE_TYPE_CONFIGS: metadata\.env\.config: the runner itself sets it/,
  ],
  [
    { SIMPLEK8S_PIPELINE_TYPE_CONFIGS: `{"default": {"hostNetwork": true}}` },
    /^SIMPLEK8S_PIPELINE_TYPE_CONFIGS: default: Unrecognized key: "hostNetwork"/,
  ],
  [{ INGESTION_CPU_LIMIT: "500m" }, /^INGESTION_CPU_REQUEST 1000m is above INGESTION_CPU_LIMIT 500m/],
  [
    { ARGO_INGESTION_CONTAINER_SPEC_FILE_PATH: "/none.yaml" },
    /^ARGO_INGESTION_CONTAINER_SPEC_FILE_PATH is "\/none.yaml": no such file/,
  ],
];
for (const [env, says] of POD_PROBLEMS) {
  Deno.test(`settings: the jobs' pods: ${Object.entries(env)[0]?.join("=")} is told`, async () => {
    const problems = await problemsOf({ ...good, ...env });
    assert.equal(problems.length, 1);
    assert.match(problems[0] ?? "", says);
    assert(!problems.join().includes(CANARY));
  });
}

Deno.test("settings: of what may hold a password only the names are shown", async () => {
  const rows = `{env: {PASSWORD: ${CANARY}}, args: [${CANARY}]}`;
  const { settings } = await read({
    ...good,
    INGESTION_EXTRA_ENVS: `[TOKEN:${CANARY},B:${CANARY}]`,
    ARGO_PIPELINE_TYPE_CONFIGS: JSON.stringify({ usage: { env: { PASSWORD: CANARY } } }),
    ARGO_TOKEN: CANARY,
    HYBRID_RUNNER_SETTINGS: "/s.yaml",
  }, `ingestion: {pipelineTypes: {metadata: ${rows}}}`);
  const shown = JSON.stringify(shownSettings(settings));
  assert(!shown.includes(CANARY), shown);
  for (
    const part of ['"extraEnvs":["TOKEN","B"]', '"usage":["env"]', '"metadata":["args","env"]', '"argoToken":"***"']
  ) {
    assert(shown.includes(part), `${part} in ${shown}`);
  }
});

Deno.test("settings: the example files are what they say they are", async () => {
  const example = async (name: string): Promise<unknown> =>
    parse(await Deno.readTextFile(new URL(`../../examples/settings/${name}`, import.meta.url)));
  assert.deepEqual(readFileSettings(await example("ingestion.yaml")).problems, undefined);
  assert.deepEqual(readContainerSpec(await example("container-params.yaml")).problems, undefined);
  assert.deepEqual(readWorkflowSpec(await example("workflow-params.yaml")).value?.workflowSpec, {});
});

Deno.test("settings: the token is in nothing that is shown", async () => {
  const { settings } = await read(good);
  for (
    const shown of [JSON.stringify(shownSettings(settings)), inspect(settings, { depth: 9 }), Deno.inspect(settings)]
  ) {
    assert(!shown.includes(CANARY), shown);
  }
  assert(!(await problemsOf({ ...good, AGENT_ID: "" })).join().includes(CANARY));
});

Deno.test("settings: what a command is given, and what a broken file holds, is not shown", async () => {
  const file = `local: {commands: {default: {command: x, args: ["--password", "${CANARY}"], env: {P: "${CANARY}"}}}}`;
  const { settings } = await read({ ...good, HYBRID_RUNNER_SETTINGS: "/s.yaml" }, file);
  const shown = JSON.stringify(shownSettings(settings));
  assert(shown.includes('"commands":["default"]') && !shown.includes(CANARY), shown);
  const problems = await problemsOf({ ...good, HYBRID_RUNNER_SETTINGS: "/s.yaml" }, `a: "${CANARY}\nb: [`);
  assert(problems.length === 1 && !problems[0]?.includes(CANARY), problems[0]);
});

Deno.test("settings: the permission list names every variable once", () => {
  assert.equal(new Set(ENVIRONMENT).size, ENVIRONMENT.length);
  for (const name of ["KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT", "KUBERNETES_NAMESPACE"]) {
    assert(ENVIRONMENT.includes(name), name);
  }
  for (const name of ["POD_NAMESPACE", "SECRETS_NAMESPACE", "AWS_REGION"]) assert(ENVIRONMENT.includes(name), name);
  for (const name of Object.keys(WITHOUT_EFFECT)) assert(ENVIRONMENT.includes(name));
});

Deno.test("settings: PEM files that are absent or no PEM say so", async () => {
  const { settings } = await read({ ...good, SERVER_CA_PATH: "/ca.pem" });
  assert.throws(() => readPem(settings, () => "hello"), {
    code: "invalid",
    message: /SERVER_CA_PATH \/ca.pem: it is not PEM/,
  });
  assert.throws(() => readPem(settings), { code: "invalid", message: /SERVER_CA_PATH \/ca.pem/ });
});
