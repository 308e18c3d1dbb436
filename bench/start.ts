/**
 * What the runner costs before it works, beside a hello-world that is compiled the same way in the same run: time to the
 * first line, idle memory, and the time until it is connected. Interleaved, medians.
 */
import { build } from "../tasks/build.ts";
import { type Program, PROGRAMS } from "../tasks/programs.ts";
import { createAnswering, token } from "./answering.ts";

const ROUNDS = 9;
const IDLE_ROUNDS = 3;
const IDLE_MS = 3000;

/** The goals, as ratios to hello-world, and in milliseconds. */
const GOALS = { firstLine: 1.5, idle: 1.15, connectedMs: 250 };

interface Subject {
  name: string;
  path: string;
  args: string[];
  env: Record<string, string>;
  from: "stdout" | "stderr";
}

if (import.meta.main) await bench();

async function bench(): Promise<void> {
  const out = await Deno.makeTempDir({ prefix: "bench-" });
  const server = createAnswering();
  try {
    const runner = PROGRAMS.runner;
    if (runner === undefined) throw new Error("Cannot bench: there is no runner in the table of programs");
    const hello: Program = { name: "hello", entry: "bench/hello.ts", flags: runner.flags };
    const subjects: [Subject, Subject] = [
      { name: "hello-world", path: (await build(hello, out)).path, args: ["--stay"], env: {}, from: "stdout" },
      {
        name: "hybrid-runner",
        path: (await build(runner, out)).path,
        args: ["run"],
        env: { AGENT_ID: "bench", SERVER_URL: server.url, AUTH_TOKEN: token(), HEALTH_PORT: "0", LOG_FORMAT: "json" },
        from: "stderr",
      },
    ];
    const firstLine = await interleaved(subjects, ROUNDS, timeToFirstLine);
    const idle = await interleaved(subjects, IDLE_ROUNDS, idleKib);
    const connected: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      connected.push(await timeToConnected(subjects[1], server.nextConnected()));
    }
    say("", subjects[0].name, subjects[1].name, "ratio", "goal");
    compare("first line, ms", firstLine, GOALS.firstLine);
    compare("idle memory (VmRSS), MiB", inMib(idle), GOALS.idle);
    const ms = median(connected);
    say("connected after exec, ms", "", ms.toFixed(0), "", verdict(ms, GOALS.connectedMs, `${GOALS.connectedMs} ms`));
  } finally {
    await server.close();
    await Deno.remove(out, { recursive: true });
  }
}

/** One value of each subject per round, so that what else the machine does falls on both alike. */
async function interleaved(
  subjects: [Subject, Subject],
  rounds: number,
  measure: (subject: Subject) => Promise<number>,
): Promise<[number, number]> {
  const values: [number[], number[]] = [[], []];
  // The first of each warms the file cache and does not count.
  for (const subject of subjects) await timeToFirstLine(subject);
  for (let round = 0; round < rounds; round++) {
    values[0].push(await measure(subjects[0]));
    values[1].push(await measure(subjects[1]));
  }
  return [median(values[0]), median(values[1])];
}

function start({ path, args, env }: Subject): Deno.ChildProcess {
  return new Deno.Command(path, { args, env, clearEnv: true, stdin: "null", stdout: "piped", stderr: "piped" }).spawn();
}

async function timeToFirstLine(subject: Subject): Promise<number> {
  const begun = performance.now();
  const child = start(subject);
  const streams = { stdout: child.stdout, stderr: child.stderr };
  const reader = streams[subject.from].getReader();
  await reader.read();
  const took = performance.now() - begun;
  reader.releaseLock();
  await end(child);
  return took;
}

async function idleKib(subject: Subject): Promise<number> {
  const child = start(subject);
  await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
  const status = await Deno.readTextFile(`/proc/${child.pid}/status`);
  await end(child);
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]);
}

async function timeToConnected(subject: Subject, connected: Promise<number>): Promise<number> {
  const begun = performance.now();
  const child = start(subject);
  const at = await connected;
  await end(child);
  return at - begun;
}

async function end(child: Deno.ChildProcess): Promise<void> {
  child.kill("SIGKILL");
  await Promise.all([child.stdout.cancel(), child.stderr.cancel(), child.status]);
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;
}

function inMib([hello, runner]: [number, number]): [number, number] {
  return [hello / 1024, runner / 1024];
}

function compare(what: string, [hello, runner]: [number, number], goal: number): void {
  const ratio = runner / hello;
  say(what, hello.toFixed(1), runner.toFixed(1), ratio.toFixed(2), verdict(ratio, goal, `${goal} ×`));
}

function verdict(value: number, goal: number, shown: string): string {
  return `≤ ${shown}: ${value <= goal ? "met" : "missed"}`;
}

function say(...cells: string[]): void {
  const widths = [26, 13, 15, 7, 0];
  const line = cells.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(" ").trimEnd();
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}
