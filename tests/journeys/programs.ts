/** The two programs, each with a folder of its own, and what can be done to them. */
import { jsonLine, type Program, runProgram, startProgram } from "./process.ts";
import { until } from "../wait.ts";

const ROOT = new URL("../../", import.meta.url);
const RUNNER = new URL("main.ts", ROOT);
const CONTROL_PLANE = new URL("control-plane/main.ts", ROOT);
const JOB = new URL("./job.sh", import.meta.url).pathname;

/** Seconds; short, so that what takes two of them takes little. */
export const HEARTBEAT_SECONDS = 1;

/** A control plane and all processes that it ever was. */
export interface ControlPlane {
  /** `http://127.0.0.1:PORT`; the port stays the same over restarts. */
  address(): string;
  port(): number;
  program(): Program;
  start(): Promise<void>;
  /** Issues a token for an agent. */
  issue(agentId: string): Promise<string>;
  revoke(token: string): Promise<void>;
  backup(file: string): Promise<void>;
  /** Only while it does not run. */
  restore(file: string): Promise<void>;
  /** What every process of it wrote. */
  output(): string;
}

/** A control plane on `data`; not started yet. */
export function controlPlaneOn(data: string): ControlPlane {
  const processes: Program[] = [];
  let port = 0;
  const cli = (...args: string[]) => runProgram(`control plane ${args[0]}`, CONTROL_PLANE, [...args, "--data", data]);
  const program = () => {
    const last = processes.at(-1);
    if (last === undefined) throw new Error("Cannot use the control plane: it was not started");
    return last;
  };
  return {
    address: () => `http://127.0.0.1:${port}`,
    port: () => port,
    program,
    async start() {
      await Deno.mkdir(data, { recursive: true });
      const listen = ["--listen", `127.0.0.1:${port}`, "--heartbeat-seconds", String(HEARTBEAT_SECONDS)];
      const started = startProgram("control plane", CONTROL_PLANE, [
        "serve",
        "--data",
        data,
        ...listen,
        "--open-on-loopback",
      ]);
      processes.push(started);
      port = Number(new URL(await started.line("its address", addressIn)).port);
    },
    issue: async (agentId) => (await cli("token", "issue", "--agent", agentId)).stdout.trim(),
    revoke: async (token) => void await cli("token", "revoke", claimsOf(token).jti),
    backup: async (file) => void await cli("backup", file),
    restore: async (file) => void await cli("restore", file),
    output: () => processes.map((program) => program.output()).join("\n"),
  };
}

/** What a runner is started with. */
export interface RunnerSettings {
  agentId: string;
  /** Where to dial: the control plane itself, or a proxy before it. */
  port: number;
  /** Holds token, state, ledger, settings. */
  folder: string;
  token: string;
  env?: Record<string, string>;
  /** Runs that may be live at the same time; no limit where absent. */
  maxRuns?: number;
}

/** A runner and all processes that it ever was. */
export interface Runner {
  program(): Program;
  start(): Promise<void>;
  /** Waits for an event of its log, of those after the mark. */
  event(name: string, from?: number): Promise<Record<string, unknown>>;
  /** Its health server. */
  health(path: string): Promise<{ status: number; text: string }>;
  setToken(token: string): Promise<void>;
  output(): string;
}

/** A runner with the local engine on `folder`; not started yet. */
export async function runnerOn({ agentId, port, folder, token, env = {}, maxRuns }: RunnerSettings): Promise<Runner> {
  const processes: Program[] = [];
  const tokenFile = `${folder}/token-${agentId}`;
  const settings = `${folder}/settings.yaml`;
  await Deno.mkdir(`${folder}/secrets`, { recursive: true });
  await Deno.writeTextFile(settings, settingsYaml(`${folder}/ledger`, maxRuns));
  const setToken = async (text: string) => {
    // As a mounted Secret is changed: whole, by a rename.
    await Deno.writeTextFile(`${tokenFile}.new`, text);
    await Deno.rename(`${tokenFile}.new`, tokenFile);
  };
  await setToken(token);
  const program = () => {
    const last = processes.at(-1);
    if (last === undefined) throw new Error("Cannot use the runner: it was not started");
    return last;
  };
  const event = (name: string, from = 0) =>
    program().line(`the event ${name}`, (line) => {
      const told = jsonLine(line);
      return told?.event === name ? told : undefined;
    }, from);
  return {
    program,
    event,
    setToken,
    start() {
      processes.push(startProgram(`runner ${agentId}`, RUNNER, [], {
        AGENT_ID: agentId,
        SERVER_URL: `ws://127.0.0.1:${port}`,
        AUTH_TOKEN_FILE: tokenFile,
        EXECUTOR_TYPE: "local",
        HYBRID_RUNNER_STATE_DIR: `${folder}/state`,
        HYBRID_RUNNER_SETTINGS: settings,
        SECRETS_MANAGER: "file",
        SECRETS_DIR: `${folder}/secrets`,
        RECONNECT_DELAY_SECONDS: "0.05",
        HYBRID_RUNNER_SHUTDOWN_GRACE_SECONDS: "10",
        HEALTH_PORT: "0",
        HEALTH_HOST: "127.0.0.1",
        LOG_LEVEL: "debug",
        LOG_FORMAT: "json",
        ...env,
      }));
      return event("runner.started").then(() => {});
    },
    async health(path) {
      const { address } = await event("runner.started");
      const response = await fetch(`${address}${path}`);
      return { status: response.status, text: await response.text() };
    },
    output: () => processes.map((program) => program.output()).join("\n"),
  };
}

function settingsYaml(ledger: string, maxRuns: number | undefined): string {
  return `local:
  graceSeconds: 2
${maxRuns === undefined ? "" : `  maxRuns: ${maxRuns}\n`}  commands:
    default:
      command: /bin/sh
      args: [${JSON.stringify(JOB)}, ${JSON.stringify(ledger)}]
`;
}

function addressIn(line: string): string | undefined {
  const told = jsonLine(line);
  return told?.event === "listening" && typeof told.url === "string" ? told.url : undefined;
}

function claimsOf(token: string): { jti: string } {
  const payload = token.split(".")[1] ?? "";
  return JSON.parse(atob(payload.replaceAll("-", "+").replaceAll("_", "/")));
}

/** The ledger's lines of one kind: the runIds in the order in which the jobs wrote them. */
export async function ledgerOf(folder: string, kind: "start" | "end"): Promise<string[]> {
  const text = await Deno.readTextFile(`${folder}/ledger`).catch((error) => {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  });
  return text.split("\n").filter((line) => line.startsWith(`${kind} `)).map((line) => line.slice(kind.length + 1));
}

/** Waits until a job has really begun. */
export function begun(folder: string, runId: string): Promise<true> {
  return until(`the job of ${runId}`, async () => (await ledgerOf(folder, "start")).includes(runId) || undefined);
}
