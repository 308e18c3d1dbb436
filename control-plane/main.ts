/**
 * hybrid-control-plane:
 *
 *   command line → data folder (lock, database, keys) → core → HTTP server → runners, REST, web page
 *
 * SIGTERM or SIGINT: goodbye to the runners, streams end, database closes, exit 0.
 */
import { systemClock } from "../adapters/clock.ts";
import { createLog } from "../adapters/logging.ts";
import { asFault, Fault, type FaultCode, isFault, reasonOf } from "../mod/fault.ts";
import type { Log, LogLevel } from "../mod/ports.ts";
import { VERSION } from "../mod/version.ts";
import { readArguments, readServe, usage } from "./adapters/cli/arguments.ts";
import { databaseOf, startControlPlane, takeLock } from "./adapters/cli/compose.ts";
import { HELP } from "./adapters/cli/help.ts";
import { tokenCommand } from "./adapters/cli/token_commands.ts";
import { backup, restore } from "./adapters/sqlite/backup.ts";

/** Exit codes, as --help documents them. */
const EXIT = { done: 0, failed: 1, usage: 2, storage: 3, listen: 4 } as const;
const DEFAULT_DATA = "./control-plane-data";
const LEVELS: readonly LogLevel[] = ["debug", "info", "warn", "error"];

type Command = (args: string[]) => Promise<string | undefined>;

const COMMANDS: Readonly<Record<string, Command>> = {
  serve,
  token: (args) => stored(() => tokenCommand(args, dataFolder)),
  backup: (args) => {
    const { file, data } = fileArguments("backup", args);
    return stored(() => {
      backup(databaseOf(data), file);
      return Promise.resolve(`wrote ${file}`);
    });
  },
  restore: (args) => {
    const { file, data } = fileArguments("restore", args);
    return stored(async () => {
      using _lock = disposable(takeLock(data));
      const lost = await restore(
        file,
        databaseOf(data),
        new Date(systemClock.now()).toISOString(),
        programLog("error"),
      );
      if (lost !== undefined) {
        complain(
          `WARNING: tokens that were revoked or issued after the backup are not known any more (${lost}). ` +
            "Revoke by its JTI what must stay out, or refuse all: `token rotate`, then remove the older files in DIR/keys",
        );
      }
      return `restored ${file}`;
    });
  },
  version: () => Promise.resolve(VERSION),
  help: () => Promise.resolve(HELP.trimEnd()),
};

/** A fault that has its exit code with it. */
class Exit extends Error {
  constructor(readonly code: number, override readonly cause: Fault) {
    super(cause.message);
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));

/** Carries out one command line; answers the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  const [name = "help", ...rest] = args;
  try {
    const isHelp = name === "--help" || name === "-h" || rest.includes("--help") || rest.includes("-h");
    const command = isHelp ? COMMANDS.help : Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
    if (command === undefined) throw usage(`there is no command ${name}`);
    const text = await command(rest);
    if (text !== undefined) print(text);
    return EXIT.done;
  } catch (error) {
    const fault = asFault(error instanceof Exit ? error.cause : error, `carry out ${name}`);
    complain(fault.message);
    if (error instanceof Exit) return error.code;
    return fault.details.rule === "usage" ? EXIT.usage : EXIT.failed;
  }
}

async function serve(args: string[]): Promise<undefined> {
  const { level, rest } = logLevel(args);
  const given = readServe(rest);
  const { hostname, port, heartbeatSeconds, openOnLoopback } = given;
  const log = programLog(level);
  const options = { hostname, port, heartbeatSeconds, openOnLoopback, log, ...tlsOf(given) };
  const stopped = untilStopped();
  const running = await stored(() => Promise.resolve(startControlPlane({ ...options, data: dataFolder(given.data) })));
  const scheme = given.tlsCert === undefined ? "http" : "https";
  const shownHost = running.hostname.includes(":") ? `[${running.hostname}]` : running.hostname;
  const url = `${scheme}://${shownHost}:${running.port}`;
  log("info", "listening", { url, version: VERSION });
  const reason = await stopped;
  log("info", "stopping", { reason });
  await running.stop();
  log("info", "stopped");
}

/** What goes wrong with data folder and database is exit 3, with the address exit 4. */
async function stored<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    // A fault with a rule is a decision about what was asked, not trouble with where it is kept.
    if (!isFault(error) || error.details.rule !== undefined) throw error;
    const kinds: readonly FaultCode[] = ["not_found", "denied", "malformed", "conflict", "unavailable", "invalid"];
    if (!kinds.includes(error.code)) throw error;
    throw new Exit(error.message.startsWith("Cannot listen on") ? EXIT.listen : EXIT.storage, error);
  }
}

function dataFolder(given: string | undefined): string {
  if (given !== undefined) return given.replace(/(?<=.)\/+$/, "");
  // Only the default is made: a folder that was named and isn't there is a typing error.
  try {
    Deno.mkdirSync(DEFAULT_DATA, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new Fault("denied", `Cannot make the data folder ${DEFAULT_DATA}: ${reasonOf(error)}`, { cause: error });
  }
  return DEFAULT_DATA;
}

function fileArguments(command: string, args: string[]): { file: string; data: string } {
  const { options, rest } = readArguments(args, { data: "value" });
  const [file, ...more] = rest;
  if (file === undefined || more.length > 0) throw usage(`${command} wants one FILE`);
  return { file, data: dataFolder(options.get("data")) };
}

function logLevel(args: string[]): { level: LogLevel; rest: string[] } {
  const at = args.findIndex((arg) => arg === "--log-level" || arg.startsWith("--log-level="));
  if (at < 0) return { level: "info", rest: args };
  const isJoined = args[at]?.includes("=");
  const value = isJoined ? args[at]?.slice("--log-level=".length) : args[at + 1];
  const level = LEVELS.find((known) => known === value);
  if (level === undefined) throw usage(`--log-level is one of ${LEVELS.join(", ")}`);
  return { level, rest: args.toSpliced(at, isJoined ? 1 : 2) };
}

function tlsOf({ tlsCert, tlsKey }: { tlsCert?: string; tlsKey?: string }): { tls?: { cert: string; key: string } } {
  if (tlsCert === undefined || tlsKey === undefined) return {};
  const read = (name: string, path: string): string => {
    try {
      return Deno.readTextFileSync(path);
    } catch (error) {
      throw usage(`--${name} ${path} cannot be read (${reasonOf(error)})`);
    }
  };
  return { tls: { cert: read("tls-cert", tlsCert), key: read("tls-key", tlsKey) } };
}

function untilStopped(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      const listener = () => {
        // A second signal kills in the usual way.
        Deno.removeSignalListener(signal, listener);
        resolve(signal);
      };
      Deno.addSignalListener(signal, listener);
    }
  });
}

function programLog(level: LogLevel): Log {
  const format = Deno.stdout.isTerminal() ? "pretty" : "json";
  return createLog({ level, format, write: print, redact: (line) => line, now: systemClock.now });
}

function disposable(of: { close(): void }): Disposable {
  return { [Symbol.dispose]: () => of.close() };
}

function print(text: string): void {
  writeAll(Deno.stdout, `${text}\n`);
}

function complain(text: string): void {
  writeAll(Deno.stderr, `${text}\n`);
}

function writeAll(to: { writeSync(bytes: Uint8Array): number }, text: string): void {
  for (let bytes = new TextEncoder().encode(text); bytes.length > 0;) bytes = bytes.subarray(to.writeSync(bytes));
}
