/**
 * The runner's settings: one table of environment variables and one optional YAML file for what is structured. All
 * problems are told at once, each with the setting's name, the bad value (never a secret's) and what is accepted.
 */
import { Fault, reasonOf } from "../mod/fault.ts";
import type { LogLevel } from "../mod/ports.ts";
import type { Secret } from "../mod/secrets/secret.ts";
import { amountOf } from "./engine/pod/words.ts";
import type { FileSettings } from "./settings_file.ts";
import { readStructured, type Structured } from "./settings_structured.ts";
import type { Row } from "./settings_row.ts";
import { ROWS, WITHOUT_EFFECT } from "./settings_table.ts";
import type { ExtraEnv } from "./settings_table_ingestion.ts";

/** What the runner runs by. */
export interface Settings {
  agentId: string;
  serverUrl: string;
  authToken?: Secret;
  authTokenFile?: string;
  secretsManager: string;
  secretsDir?: string;
  executor: "argo" | "simpleK8s" | "local" | "auto";
  stateDir?: string;
  reconnectDelaySeconds: number;
  maxConnectionSeconds: number;
  shutdownGraceSeconds: number;
  objectLifeSeconds: number;
  healthPort: number;
  healthHost: string;
  serverCaPath?: string;
  clientCertificatePath?: string;
  clientKeyPath?: string;
  logLevel: LogLevel;
  logFormat: "json" | "pretty" | "auto";
  file: FileSettings;
  // From here on: the jobs' pods, and the cluster engines.
  serverHostApiUrl?: string;
  ingestionServiceAccount: string;
  ingestionNamespace?: string;
  secretsNamespace?: string;
  ingestionImage?: string;
  runnerImage?: string;
  imagePullSecrets?: string[];
  automountToken: boolean;
  extraEnvs?: ExtraEnv[];
  cpuLimit: string;
  memoryLimit: string;
  cpuRequest: string;
  memoryRequest: string;
  automationCpuLimit: string;
  automationMemoryLimit: string;
  automationCpuRequest: string;
  automationMemoryRequest: string;
  startDeadlineSeconds: number;
  /** What the variables and the files say of the pods of each pipeline type; absent where nothing does. */
  pods?: Structured["pods"];
  argoServerUrl?: string;
  argoToken?: Secret;
  argoServerCertificatePath?: string;
  argoTestBackoffSeconds?: number;
}

/** The settings, and what is odd about them. */
export interface ReadSettings {
  settings: Settings;
  /** Sentences that the start-up log tells: settings that are set and have no effect, a link without TLS. */
  warnings: string[];
}

/** Reads all settings. Fault `invalid` whose message lists every problem, a line each. */
export async function readSettings(
  env: (name: string) => string | undefined,
  readText: (path: string) => string = Deno.readTextFileSync,
): Promise<ReadSettings> {
  const problems: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [key, row] of Object.entries<Row>(ROWS)) {
    const text = env(row.name) ?? "";
    const given = text === "" ? row.fallback : text;
    if (given === undefined) problems.push(`${row.name} is missing: ${row.about}; accepted: ${row.accepts}`);
    else if (given !== "") values[key] = check(row, given, problems);
  }
  const { authToken, authTokenFile, secretsManager, secretsDir, executor, stateDir, settingsFile } = values;
  if (authToken === undefined && authTokenFile === undefined) {
    problems.push(
      "AUTH_TOKEN is missing: the runner's token; accepted: a JWT, or a file that holds it in AUTH_TOKEN_FILE",
    );
  }
  if (secretsManager === "file" && secretsDir === undefined) {
    problems.push("SECRETS_DIR is missing: SECRETS_MANAGER=file reads from it; accepted: a path");
  }
  if (executor === "local" && stateDir === undefined) {
    problems.push("HYBRID_RUNNER_STATE_DIR is missing: EXECUTOR_TYPE=local keeps its runs there; accepted: a path");
  }
  if ((values.clientCertificatePath === undefined) !== (values.clientKeyPath === undefined)) {
    problems.push("SERVER_CLIENT_CERTIFICATE_PATH and SERVER_CLIENT_KEY_PATH go together: one of them is missing");
  }
  for (const [request, limit] of REQUESTS) {
    const amounts = [values[request], values[limit]].map(String).map(amountOf);
    if (Number(amounts[0]) > Number(amounts[1])) {
      const over = `${values[request]} is above ${ROWS[limit].name} ${values[limit]}`;
      problems.push(`${ROWS[request].name} ${over}: no pod could be made; accepted: at most the limit`);
    }
  }
  const { settingsFile: _, argoPipelineTypes, kubernetesPipelineTypes, containerSpecPath, workflowSpecPath, ...flat } =
    values;
  const { file, pods, problems: more } = await readStructured({
    settingsFile,
    argoPipelineTypes,
    kubernetesPipelineTypes,
    containerSpecPath,
    workflowSpecPath,
  }, readText);
  problems.push(...more);
  if (problems.length > 0) {
    throw new Fault(
      "invalid",
      `Cannot start: ${problems.length} of the settings are wrong\n- ${problems.join("\n- ")}`,
    );
  }
  // Every key of the table was read by its own row above.
  return {
    settings: { ...flat, file, ...pods ? { pods } : {} } as unknown as Settings,
    warnings: warningsOf(env, values),
  };
}

const REQUESTS = [
  ["cpuRequest", "cpuLimit"],
  ["memoryRequest", "memoryLimit"],
  ["automationCpuRequest", "automationCpuLimit"],
  ["automationMemoryRequest", "automationMemoryLimit"],
] as const;

function check(row: Row, text: string, problems: string[]): unknown {
  const value = row.read(text);
  if (value === undefined) {
    const shown = row.isSecret ? "***" : JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}…` : text);
    problems.push(`${row.name} is ${shown}: ${row.about}; accepted: ${row.accepts}`);
  }
  return value;
}

function warningsOf(env: (name: string) => string | undefined, values: Record<string, unknown>): string[] {
  const warnings = Object.entries(WITHOUT_EFFECT).filter(([name]) => (env(name) ?? "") !== "").map(([name, why]) =>
    `${name} is set and has no effect: ${why}`
  );
  if (typeof values.serverUrl === "string" && values.serverUrl.startsWith("ws:")) {
    warnings.unshift(
      "SERVER_URL has no TLS (ws://): anybody on the way can read and change what is said, the token too",
    );
  }
  if (values.authToken !== undefined && values.authTokenFile !== undefined) {
    warnings.push("AUTH_TOKEN and AUTH_TOKEN_FILE are both set: the literal AUTH_TOKEN wins");
  }
  return warnings;
}

/** The PEM files that the link needs. Fault `invalid` for one that cannot be read or is no PEM. */
export function readPem(
  { serverCaPath, clientCertificatePath, clientKeyPath }: Settings,
  readText: (path: string) => string = Deno.readTextFileSync,
): { caCerts?: string[]; clientCertificate?: { cert: string; key: string } } {
  const pem = (name: string, path: string) => {
    let text: string;
    try {
      text = readText(path);
    } catch (error) {
      throw new Fault("invalid", `Cannot read ${name} ${path}: ${reasonOf(error)}`, { cause: error });
    }
    if (text.includes("-----BEGIN ")) return text;
    throw new Fault("invalid", `Cannot use ${name} ${path}: it is not PEM (no "-----BEGIN" line)`);
  };
  const clientCertificate = clientCertificatePath !== undefined && clientKeyPath !== undefined && {
    cert: pem("SERVER_CLIENT_CERTIFICATE_PATH", clientCertificatePath),
    key: pem("SERVER_CLIENT_KEY_PATH", clientKeyPath),
  };
  return {
    ...serverCaPath === undefined ? {} : { caCerts: [pem("SERVER_CA_PATH", serverCaPath)] },
    ...clientCertificate ? { clientCertificate } : {},
  };
}
