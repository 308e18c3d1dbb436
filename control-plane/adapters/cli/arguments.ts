/** The command line as typed options. Everything that is wrong with it is a usage fault, naming the option. */
import { Fault } from "../../../mod/fault.ts";
import { isLoopback } from "../http/loopback.ts";

/** Options by name, and what stood between them. */
export interface Arguments {
  options: ReadonlyMap<string, string>;
  rest: readonly string[];
}

/** Which options a command has: with a value, or without. */
export type Known = Readonly<Record<string, "value" | "flag">>;

/** Reads `--name value`, `--name=value` and flags. Faults: `invalid`. */
export function readArguments(args: readonly string[], known: Known): Arguments {
  const options = new Map<string, string>();
  const rest: string[] = [];
  const left = [...args];
  for (let arg = left.shift(); arg !== undefined; arg = left.shift()) {
    if (!arg.startsWith("--")) {
      rest.push(arg);
      continue;
    }
    const [, name = "", given] = /^--([^=]*)(?:=(.*))?$/s.exec(arg) ?? [];
    const kind = Object.hasOwn(known, name) ? known[name] : undefined;
    if (kind === undefined) throw usage(`there is no option --${name}`);
    if (kind === "flag" && given !== undefined) throw usage(`--${name} takes no value`);
    const value = kind === "flag" ? "true" : given ?? left.shift();
    if (value === undefined) throw usage(`--${name} wants a value`);
    options.set(name, value);
  }
  return { options, rest };
}

/** What `serve` is told on the command line. */
export interface ServeArguments {
  /** Undefined: the default folder, which is made where it is missing. */
  data?: string;
  hostname: string;
  port: number;
  heartbeatSeconds: number;
  openOnLoopback: boolean;
  tlsCert?: string;
  tlsKey?: string;
}

/** The options of `serve`. Faults: `invalid`. */
export function readServe(args: readonly string[]): ServeArguments {
  const { options, rest } = readArguments(args, {
    "data": "value",
    "listen": "value",
    "heartbeat-seconds": "value",
    "open-on-loopback": "flag",
    "tls-cert": "value",
    "tls-key": "value",
  });
  if (rest.length > 0) throw usage(`${rest[0]} is not an option of serve`);
  const [hostname, port] = addressOf(options.get("listen") ?? "127.0.0.1:8586");
  const openOnLoopback = options.has("open-on-loopback");
  if (openOnLoopback && !isLoopback(hostname)) {
    throw usage(`--open-on-loopback asks nobody to sign in, so --listen must be loopback, and ${hostname} is not`);
  }
  const tlsCert = options.get("tls-cert"), tlsKey = options.get("tls-key");
  if ((tlsCert === undefined) !== (tlsKey === undefined)) throw usage("--tls-cert and --tls-key belong together");
  return {
    data: options.get("data"),
    hostname,
    port,
    heartbeatSeconds: numberOf("heartbeat-seconds", options.get("heartbeat-seconds") ?? "15", 0.05, 300),
    openOnLoopback,
    tlsCert,
    tlsKey,
  };
}

/** A number within bounds. Faults: `invalid`. */
export function numberOf(name: string, text: string, least: number, most: number): number {
  const value = text.trim() === "" ? NaN : Number(text);
  if (value >= least && value <= most) return value;
  throw usage(`--${name} is a number from ${least} to ${most}, and ${text} is not`);
}

/** A fault about the command line itself: exit code 2. */
export function usage(reason: string): Fault {
  return new Fault("invalid", `Cannot take the command line: ${reason}; see --help`, { rule: "usage" });
}

function addressOf(text: string): [hostname: string, port: number] {
  const [, v6, name, digits] = /^(?:\[([0-9a-fA-F:.]+)\]|([^:\s]+)):(\d{1,5})$/.exec(text) ?? [];
  const hostname = v6 ?? name, port = Number(digits);
  if (hostname === undefined || port > 65_535) throw usage(`--listen is HOST:PORT, and ${text} is not`);
  return [hostname, port];
}
