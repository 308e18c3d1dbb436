/** What the storm tells of itself. */
import type { Sent } from "./frames.ts";

/** What there was, for a line of the test's output. */
export interface Tally {
  frames: number;
  sessions: number;
  answers: number;
  malformed: number;
  closes: Map<number, number>;
}

export const noTally = (): Tally => ({ frames: 0, sessions: 0, answers: 0, malformed: 0, closes: new Map() });

/** One line of what was done, for whoever runs the test. */
export function say(what: string, tally?: Tally): void {
  const closes = [...tally?.closes ?? []].map(([code, count]) => `${count} × ${code}`).join(", ");
  const rest = tally
    ? ` (${tally.sessions} sessions, ${tally.malformed} malformed, ${tally.answers} answers, closed ${closes})`
    : "";
  // deno-lint-ignore no-console
  console.log(`fuzz: ${what}${rest}`);
}

/** A frame as a failure shows it. */
export function shown(frame: Sent): string {
  if (typeof frame !== "string") return `of ${frame.length} bytes: ${frame}`;
  const text = JSON.stringify(frame);
  return text.length <= SHOWN ? text : `${text.slice(0, SHOWN)}… (${frame.length} characters)`;
}

const SHOWN = 2_000;
