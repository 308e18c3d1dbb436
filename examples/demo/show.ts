// deno-lint-ignore-file no-console
/** How the demo looks: steps, a timeline, a table. Colours only on a terminal. */
import type { RunDetail } from "../../control-plane/mod/views.ts";
import type { Ingested } from "../jobs/ingest_sqlite.ts";

const isTerminal = Deno.stdout.isTerminal() && Deno.env.get("NO_COLOR") === undefined;
const paint = (code: number) => (text: string) => isTerminal ? `\x1b[${code}m${text}\x1b[0m` : text;
const bold = paint(1), dim = paint(2), green = paint(32), red = paint(31);

const began = Date.now();

/** One thing done, with the seconds since the start. */
export function step(text: string): void {
  console.log(`${dim(((Date.now() - began) / 1000).toFixed(1).padStart(5))}s ${green("✓")} ${text}`);
}

/** What the job itself says. */
export function logLine(text: string): void {
  console.log(`         ${dim("│")} ${text}`);
}

export function failure(text: string): void {
  console.error(`${red("✗")} ${text}`);
}

export function heading(text: string): void {
  console.log(`\n${bold(text)}`);
}

const STAGES = ["received", "accepted", "created", "started", "finished"] as const;

/** A run's stages as a picture: where the time went. */
export function timeline({ times, requestedAt }: RunDetail): void {
  const stages = [["asked", requestedAt] as const, ...STAGES.map((name) => [name, times[name]] as const)];
  const known = stages.flatMap(([name, at]) => at === undefined ? [] : [{ name, at: Date.parse(at) }]);
  const first = known[0]?.at ?? 0;
  const width = Math.max(1, (known.at(-1)?.at ?? 0) - first);
  for (const { name, at } of known) {
    const ms = Math.max(0, at - first);
    const bar = "─".repeat(Math.round((ms / width) * 40));
    console.log(`  ${name.padEnd(9)} ${`+${ms} ms`.padStart(10)}  ${dim(bar)}${green("●")}`);
  }
}

/** The ingested schema: a line a table. */
export function schema({ service, tables }: Ingested): void {
  for (const { name, type, rows, columns } of tables) {
    console.log(`  ${bold(`${service}.${name}`)} ${dim(rows === undefined ? type : `${type}, ${rows} rows`)}`);
    console.log(`    ${columns.map((column) => `${column.name} ${dim(column.type || "any")}`).join(", ")}`);
  }
}
