/** A run's log file as the wrapper writes it, and its last lines for the diagnostics. */
import type { Secret } from "../../../mod/secrets/secret.ts";
import { revealBytes } from "../../../mod/secrets/secret.ts";
import { createRedactor } from "../../../mod/redact.ts";
import { copyLines } from "./lines.ts";

/** A log that is being written. */
export interface JobLog {
  /** Copies a job's output stream to its end. */
  copy(stream: ReadableStream<Uint8Array>): Promise<void>;
  /** Adds lines of the wrapper's own. */
  say(...lines: string[]): Promise<void>;
  /** Takes credentials out of a text that goes elsewhere than the log. */
  redact(text: string): string;
  /** The last 20 lines, each of at most 2,000 characters. */
  lastLines(): string[];
  /** Closes the file; all that was written is in it. */
  close(): void;
}

/** Lines that failures show, and how much of each. */
const LAST_LINES = 20;
const LAST_LINE_CHARACTERS = 2_000;

/** Opens the log for appending; `values` are taken out of all that is written. */
export async function openJobLog(path: string, values: readonly Secret[]): Promise<JobLog> {
  const file = await Deno.open(path, { append: true, create: true, mode: 0o600 });
  const last: string[] = [];
  // Two streams, one file: each batch is written whole before the next.
  let tail: Promise<void> = Promise.resolve();
  const write = (lines: string[]): Promise<void> => {
    for (const line of lines.slice(-LAST_LINES)) last.push(line.slice(0, LAST_LINE_CHARACTERS));
    last.splice(0, Math.max(0, last.length - LAST_LINES));
    const bytes = new TextEncoder().encode(lines.join("\n") + "\n");
    tail = tail.then(async () => {
      for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
    });
    return tail;
  };
  // Percent-encoding triples a value, a JSON escape takes six characters for one.
  const longestValue = 6 * Math.max(0, ...values.map((value) => revealBytes(value).length));
  return {
    copy: (stream) => {
      const redactor = createRedactor({ values });
      return copyLines(stream, { redact: (lines) => redactor.lines(lines), write, longestValue });
    },
    say: (...lines) => write(createRedactor({ values }).lines(lines)),
    redact: (text) => createRedactor({ values }).text(text),
    lastLines: () => [...last],
    close: () => file.close(),
  };
}
