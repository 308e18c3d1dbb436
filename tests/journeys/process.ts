/** A program of ours as a real process: its output is kept and can be waited on; it can be killed, asked to stop. */
import { within } from "../wait.ts";

/** One process. */
export interface Program {
  readonly name: string;
  readonly pid: number;
  /** Everything that it wrote to both streams so far. */
  output(): string;
  /**
   * The first line, of those after the first `from`, of which `find` makes something. Fails when the process ends
   * without such a line.
   */
  line<T>(what: string, find: (line: string) => T | undefined, from?: number): Promise<T>;
  /** How many lines there are now: a mark for `line`. */
  mark(): number;
  /** SIGKILL: no chance to say goodbye. */
  kill(): Promise<void>;
  /** SIGTERM; resolves with the exit code. */
  terminate(): Promise<number>;
  readonly exited: Promise<Deno.CommandStatus>;
}

/** What a child may see of our environment: where its tools and caches are, nothing else. */
const INHERITED = ["PATH", "HOME", "DENO_DIR", "XDG_CACHE_HOME", "DENO_TLS_CA_STORE", "NPM_CONFIG_REGISTRY", "TMPDIR"];

/** Starts `deno run -A <script> <args>` with nothing in the environment but `env`. */
export function startProgram(name: string, script: URL, args: string[], env: Record<string, string> = {}): Program {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-prompt", "--no-lock", "--allow-all", script.pathname, ...args],
    clearEnv: true,
    env: { ...inherited(), NO_COLOR: "1", ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const lines: string[] = [];
  let wake = Promise.withResolvers<void>();
  const ring = () => {
    wake.resolve();
    wake = Promise.withResolvers<void>();
  };
  const read = async (stream: ReadableStream<Uint8Array>) => {
    let rest = "";
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      const parts = (rest + text).split("\n");
      rest = parts.pop() ?? "";
      lines.push(...parts);
      ring();
    }
    if (rest !== "") lines.push(rest);
  };
  let isOver = false;
  const exited = Promise.all([child.status, read(child.stdout), read(child.stderr)]).then(([status]) => {
    isOver = true;
    ring();
    return status;
  });

  const signal = (kind: Deno.Signal) => {
    try {
      child.kill(kind);
    } catch {
      // It is gone already: that is what was wanted.
    }
  };

  return {
    name,
    pid: child.pid,
    output: () => lines.join("\n"),
    mark: () => lines.length,
    exited,
    line: (what, find, from = 0) => within(`${what} from ${name}`, search(what, find, from)),
    async kill() {
      signal("SIGKILL");
      await exited;
    },
    async terminate() {
      signal("SIGTERM");
      return (await within(`the end of ${name}`, exited)).code;
    },
  };

  async function search<T>(what: string, find: (line: string) => T | undefined, from: number): Promise<T> {
    for (let at = from;;) {
      const woken = wake.promise;
      for (; at < lines.length; at++) {
        const found = find(lines[at] ?? "");
        if (found !== undefined) return found;
      }
      if (isOver) throw new Error(`Cannot wait for ${what}: ${name} has ended:\n${lines.slice(-20).join("\n")}`);
      await woken;
    }
  }
}

/** Runs a program to its end. */
export async function runProgram(
  name: string,
  script: URL,
  args: string[],
): Promise<{ code: number; stdout: string; stderr: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-prompt", "--no-lock", "--allow-all", script.pathname, ...args],
    clearEnv: true,
    env: { ...inherited(), NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const text = { stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
  if (code !== 0) throw new Error(`${name} ended with exit code ${code}:\n${text.stderr}${text.stdout}`);
  return { code, ...text };
}

/** The line as a JSON object, if it is one. */
export function jsonLine(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

function inherited(): Record<string, string> {
  return Object.fromEntries(INHERITED.flatMap((name) => {
    const value = Deno.env.get(name);
    return value === undefined ? [] : [[name, value]];
  }));
}
