/**
 * hybrid-runner: the agent in the cluster. Composition root: settings → adapters → flow.
 *
 *     control plane                                                                  workflow engine
 *          │                                                                               ▲   │
 *          ▼                                                                               │   ▼
 *       socket → text → frame → command → policy → handler ────────────────────────── engine port
 *          ▲                                                                                   │
 *          └──── text ← frame ← outbox ←──────────────────────── status ←─────────────────────┘
 */
import { createAudit } from "./adapters/audit.ts";
import { systemClock, systemRandom } from "./adapters/clock.ts";
import { serveHealth } from "./adapters/health.ts";
import { createLog } from "./adapters/logging.ts";
import { readPem, readSettings, type Settings } from "./adapters/settings.ts";
import { shownSettings } from "./adapters/settings_shown.ts";
import { fileToken, literalToken } from "./adapters/token.ts";
import type { Io } from "./cli/resolve.ts";
import { USAGE } from "./cli/usage.ts";
import { isFault, reasonOf } from "./mod/fault.ts";
import { allowAll } from "./mod/flow/policy.ts";
import type { TokenSource } from "./mod/ports.ts";
import { createRedactor } from "./mod/redact.ts";
import { reveal } from "./mod/secrets/secret.ts";
import { VERSION } from "./mod/version.ts";

/** 0 done, 1 a defect, 2 wrong usage or settings, 3 cannot start (a port in use, a state folder in use). */
type ExitCode = 0 | 1 | 2 | 3;

async function runCommand(io: Io, stopping: AbortSignal): Promise<ExitCode> {
  const { settings, warnings } = await readSettings(io.env);
  const instanceId = systemRandom.uuid();
  const log = createLog({
    level: settings.logLevel,
    format: settings.logFormat === "auto" ? (Deno.stderr.isTerminal() ? "pretty" : "json") : settings.logFormat,
    write: (line) => io.stderr(`${line}\n`),
    redact: (line) => createRedactor().line(line),
    now: systemClock.now,
  });
  const { agentId, secretsManager } = settings;
  log("info", "runner.starting", {
    agentId,
    instanceId,
    version: VERSION,
    secretsManager,
    settings: shownSettings(settings),
  });
  for (const warning of warnings) log("warn", "settings.warning", { reason: warning });
  // Only now the flow is loaded: its schemas cost milliseconds, and whoever looks at the log sees it begin at once.
  const [{ createWebSocketChannel }, { chooseEngine }, { createRunner }, { tellToken }] = await Promise.all([
    import("./adapters/channel/websocket.ts"),
    import("./adapters/engine/choose.ts"),
    import("./mod/flow/runner.ts"),
    import("./mod/token.ts"),
  ]);

  const tokens = tokenSource(settings);
  try {
    tellToken(await tokens.read(stopping), systemClock.now(), log);
  } catch (error) {
    // Whether it is accepted is the control plane's to decide.
    log("error", "token.unusable", { error });
  }
  const { engine, message } = await chooseEngine(settings, io.env, log, stopping);
  const runner = createRunner({
    ...settings,
    instanceId,
    version: VERSION,
    secretsProvider: secretsManager,
    ...settings.file.local?.maxRuns === undefined ? {} : { maxRuns: settings.file.local.maxRuns },
    channel: createWebSocketChannel({
      serverUrl: settings.serverUrl,
      tokens,
      clock: systemClock,
      ...readPem(settings),
    }),
    tokens,
    engine,
    ...message === undefined ? {} : { engineMessage: message },
    policy: allowAll,
    audit: createAudit({
      write: (line) => io.stdout(`${line}\n`),
      now: systemClock.now,
      start: { agentId, instanceId, version: VERSION },
    }),
    secretNames: async (document) => (await import("./mod/secrets/document.ts")).referencesIn(document),
    createRedactor,
    clock: systemClock,
    random: systemRandom,
    log,
  });

  await using health = serveHealth({
    loops: runner.loops,
    conditions: async () => {
      if (stopping.aborted) return [{ name: "runner", ok: false, message: "it is stopping" }];
      const { healthy, message } = await engine.health(stopping);
      return [{ name: "control plane", ...runner.link() }, { name: "engine", ok: healthy, message }];
    },
  }, { hostname: settings.healthHost, port: settings.healthPort });
  log("info", "runner.started", {
    agentId,
    address: `http://${settings.healthHost}:${health.port}`,
    engine: engine.description.kind,
  });
  await runner.run(stopping);
  await engine.close?.();
  log("info", "runner.stopped", { agentId });
  return 0;
}

function tokenSource({ authToken, authTokenFile }: Settings): TokenSource {
  if (authToken) return literalToken(reveal(authToken));
  return fileToken(authTokenFile ?? "", systemClock);
}

// What only one command, or only the first job needs is loaded then: every start would pay for it in time and memory.
const COMMANDS: Record<string, (args: string[], io: Io, stopping: AbortSignal) => Promise<number>> = {
  run: (_args, io, stopping) => runCommand(io, stopping),
  resolve: async (args, io, stopping) => await (await import("./cli/resolve.ts")).resolveCommand(args, io, stopping),
  plan: async (args, io) => await (await import("./cli/plan.ts")).planCommand(args, io),
  version: (_args, io) => Promise.resolve(io.stdout(`hybrid-runner ${VERSION}\n`) ?? 0),
  help: (_args, io) => Promise.resolve(io.stdout(USAGE) ?? 0),
};

async function main(args: string[]): Promise<number> {
  const io: Io = {
    env: (name) => Deno.env.get(name),
    stdout: (text) => void Deno.stdout.writeSync(new TextEncoder().encode(text)),
    stderr: (text) => void Deno.stderr.writeSync(new TextEncoder().encode(text)),
  };
  const stopping = new AbortController();
  // As PID 1 the program would otherwise ignore SIGTERM.
  for (const name of ["SIGTERM", "SIGINT"] as const) {
    Deno.addSignalListener(name, () => stopping.abort(new Error(name)));
  }
  const [name = "run", ...rest] = args[0]?.startsWith("-") ? [args[0] === "--version" ? "version" : "help"] : args;
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined) {
    io.stderr(`Cannot run ${JSON.stringify(name)}: there is no such command\n\n${USAGE}`);
    return 2;
  }
  if (name === "run" && rest.includes("--help")) return COMMANDS.help?.([], io, stopping.signal) ?? 0;
  try {
    return await command(rest, io, stopping.signal);
  } catch (error) {
    io.stderr(`${reasonOfAll(error)}\n`);
    return isFault(error, "invalid") ? 2 : isFault(error) && error.code !== "internal" ? 3 : 1;
  }
}

/** What a person reads; the settings' fault has a line for each problem, which stay apart. */
function reasonOfAll(error: unknown): string {
  return createRedactor().text(isFault(error) ? error.message : `Cannot go on: ${reasonOf(error)}`);
}

if (import.meta.main) Deno.exit(await main(Deno.args));
