// deno-lint-ignore-file no-console
/**
 * The product's main job on embedded parts: a control plane, a runner with the local engine, a database that opens only
 * with a credential, and that credential known to the control plane only as a reference.
 *
 * `deno task demo [--keep] [--reference secret:/PATH]`
 */
import type { RunDetail } from "../../control-plane/mod/views.ts";
import type { Ingested } from "../jobs/ingest_sqlite.ts";
import { seal } from "../jobs/sealed.ts";
import { findValue } from "./leaks.ts";
import { type Program, runProgram, startProgram } from "./programs.ts";
import { createRest, type Rest } from "./rest.ts";
import { failure, heading, logLine, schema, step, timeline } from "./show.ts";

const AGENT = "demo-runner";
const PIPELINE = "shop-metadata";
const REFERENCE = "secret:/demo/shop/password";
const TIMEOUT_MS = 120_000;

async function main(args: string[]): Promise<number> {
  const keep = args.includes("--keep");
  const reference = args.includes("--reference") ? args[args.indexOf("--reference") + 1] ?? "" : REFERENCE;
  const unknown = args.filter((arg) => !["--keep", "--reference", reference].includes(arg));
  if (unknown.length > 0 || reference === "") {
    failure(
      `Cannot take ${unknown.join(" ") || "--reference"}; usage: deno task demo [--keep] [--reference secret:/PATH]`,
    );
    return 2;
  }
  const folder = await Deno.makeTempDir({ prefix: "hybrid-runner-demo-" });
  const stop = new AbortController();
  const interrupted = () => stop.abort(new Error("interrupted"));
  for (const name of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(name, interrupted);
  const signal = keep ? stop.signal : AbortSignal.any([stop.signal, AbortSignal.timeout(TIMEOUT_MS)]);
  try {
    return await story(folder, reference, keep, signal);
  } catch (error) {
    if (keep && stop.signal.aborted) return 0;
    failure(error instanceof Error ? error.message : String(error));
    return 1;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function story(folder: string, reference: string, keep: boolean, signal: AbortSignal): Promise<number> {
  const password = await prepareDatabase(folder);
  step(`a SQLite database, sealed with a fresh password; the password is a file that only the job may read`);

  const data = `${folder}/control-plane`;
  await Deno.mkdir(data);
  await using controlPlane = startControlPlane(data);
  const [address = ""] = await controlPlane.waitFor(/http:\/\/127\.0\.0\.1:\d+/, signal);
  step(`control plane at ${address}`);

  const token = await runProgram([...controlPlaneArgs, "token", "issue", "--agent", AGENT, "--data", data]);
  await using runner = await startRunner(folder, address, token);
  const rest = createRest(address, signal);
  await until(async () => (await rest.runner(AGENT).catch(() => undefined))?.status === "Active", runner, signal);
  step(`runner ${AGENT} is Active: it dialled out, nothing was opened for it`);

  await rest.deploy(PIPELINE, pipelineOf(folder, reference));
  await until(async () => (await rest.pipeline(PIPELINE)).deployment !== "pending", runner, signal);
  const deployed = await rest.pipeline(PIPELINE);
  if (deployed.deployment !== "deployed") throw new Error(deployed.deploymentMessage ?? deployed.deployment);
  step(
    `pipeline ${PIPELINE} deployed, knows the credential as ${
      deployed.references.join(", ")
    }; next run ${deployed.nextRunAt}`,
  );

  const runId = await rest.run(PIPELINE);
  step(`run ${runId} asked for; its log:`);
  for await (const line of rest.log(runId)) logLine(line);
  const run = await ended(rest, runId, runner, signal);
  step(`run ended: ${run.state}`);
  heading("Where the time went");
  timeline(run);
  if (run.state !== "success") {
    heading("Why it failed");
    failure(run.reason?.message ?? "no reason was told");
    return 1;
  }
  heading("What was ingested");
  const ingested: Ingested = JSON.parse(await Deno.readTextFile(`${folder}/ingested.json`));
  schema(ingested);

  const found = await findValue(password, [folder], [`${folder}/secrets/`], controlPlane.printed() + runner.printed());
  if (found.length > 0) throw new Error(`The credential's value was found in ${found.join(", ")}`);
  heading("The credential's value is in no output, no database and no file but its own.");
  if (keep) {
    console.log(`\nThe page: ${address}    (Ctrl+C ends it all)`);
    await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  }
  return 0;
}

const controlPlaneArgs = [
  "run",
  "--quiet",
  "--no-prompt",
  "--allow-net",
  "--allow-env",
  "--allow-read",
  "--allow-write",
  "control-plane/main.ts",
];

function startControlPlane(data: string): Program {
  return startProgram("control plane", [
    ...controlPlaneArgs,
    "serve",
    "--data",
    data,
    "--listen",
    "127.0.0.1:0",
    "--open-on-loopback",
  ], {});
}

async function startRunner(folder: string, address: string, token: string): Promise<Program> {
  // All is allowed, since Deno lets nothing less read the memory folder /dev/shm, where the configuration lies.
  const job = ["run", "--quiet", "--allow-all", "examples/jobs/ingest_sqlite.ts"];
  await Deno.writeTextFile(`${folder}/token`, token, { mode: 0o600 });
  // JSON is YAML: no library is needed to write the settings.
  const commands = { default: { command: Deno.execPath(), args: job } };
  await Deno.writeTextFile(`${folder}/settings.yaml`, JSON.stringify({ local: { commands } }));
  const allowed = ["net", "env", "read", "write", "run", "sys"].map((kind) => `--allow-${kind}`);
  return startProgram("runner", ["run", "--quiet", "--no-prompt", ...allowed, "main.ts"], {
    AGENT_ID: AGENT,
    SERVER_URL: address.replace("http", "ws"),
    AUTH_TOKEN_FILE: `${folder}/token`,
    EXECUTOR_TYPE: "local",
    HYBRID_RUNNER_STATE_DIR: `${folder}/runner`,
    HYBRID_RUNNER_SETTINGS: `${folder}/settings.yaml`,
    SECRETS_MANAGER: "file",
    SECRETS_DIR: `${folder}/secrets`,
    HEALTH_PORT: "0",
    HEALTH_HOST: "127.0.0.1",
  });
}

/** Seals a copy of the example with a password made now, and puts the password where the `file` provider finds it. */
async function prepareDatabase(folder: string): Promise<string> {
  const password = Array.from(crypto.getRandomValues(new Uint8Array(24)), (byte) => byte.toString(16).padStart(2, "0"))
    .join("");
  const database = await Deno.readFile("examples/shop.sqlite");
  await Deno.writeFile(`${folder}/shop.sqlite.sealed`, await seal(database, password));
  await Deno.mkdir(`${folder}/secrets/demo/shop`, { recursive: true });
  await Deno.writeTextFile(`${folder}/secrets/demo/shop/password`, password, { mode: 0o600 });
  return password;
}

/** OpenMetadata's workflow configuration, as a catalogue would hand it over. */
function pipelineOf(folder: string, reference: string): Record<string, unknown> {
  const document = {
    source: {
      type: "sqlite",
      serviceName: "shop",
      serviceConnection: {
        config: { type: "SQLite", databaseMode: `${folder}/shop.sqlite.sealed`, password: reference },
      },
      sourceConfig: { config: { type: "DatabaseMetadata" } },
    },
    sink: { type: "file", config: { filename: `${folder}/ingested.json` } },
  };
  return {
    agentId: AGENT,
    kind: "pipeline",
    name: "Metadata of the shop",
    type: "metadata",
    document: JSON.stringify(document),
    schedule: "0 3 * * *",
    timezone: "Europe/Berlin",
    enabled: true,
    maxActiveRuns: 1,
  };
}

async function ended(rest: Rest, runId: string, runner: Program, signal: AbortSignal): Promise<RunDetail> {
  let run = await rest.runDetail(runId);
  await until(async () => (run = await rest.runDetail(runId)).terminal, runner, signal);
  return run;
}

/** Looks every 50 ms until it is so. What the runner says is worth showing if it never is. */
async function until(isSo: () => Promise<boolean>, runner: Program, signal: AbortSignal): Promise<void> {
  while (!await isSo()) {
    if (signal.aborted) throw new Error(`It took too long. What the runner said:\n${runner.printed()}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
