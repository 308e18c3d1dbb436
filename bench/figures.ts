/** Figures for the benches: quantiles, and lines of a table. */

export interface Quantiles {
  p50: number;
  p99: number;
}

/** Of values in any order. */
export function quantiles(values: readonly number[]): Quantiles {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (part: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? NaN;
  return { p50: at(0.5), p99: at(0.99) };
}

/** Whether the goal was reached, with the goal. */
export function verdict(isMet: boolean, goal: string): string {
  return `${goal}: ${isMet ? "met" : "missed"}`;
}

/** One line of the table. */
export function say(...cells: string[]): void {
  const widths = [34, 12, 12, 10, 0];
  const line = cells.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(" ").trimEnd();
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}
