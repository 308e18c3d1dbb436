/** The program's log: one JSON object a line, or readable lines on a terminal. Both pass the redactor. */
import { isFault } from "../mod/fault.ts";
import type { Log, LogFields, LogLevel } from "../mod/ports.ts";

/** What is told, how and where: lines below `level` are dropped, `write` gets whole lines without their newline. */
export interface LoggingOptions {
  level: LogLevel;
  format: "json" | "pretty";
  write: (line: string) => void;
  redact: (line: string) => string;
  now: () => number;
}

const ORDER: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

/** The log: `redact` sees every line as it is to be written. */
export function createLog({ level, format, write, redact, now }: LoggingOptions): Log {
  return (of, event, fields = {}) => {
    if (ORDER[of] < ORDER[level]) return;
    const time = new Date(now()).toISOString();
    const told = { ...fields, ...fields.error === undefined ? {} : { error: errorOf(fields.error, of) } };
    const line = format === "json"
      ? JSON.stringify({ time, level: of, event, ...told })
      : pretty(time, of, event, told);
    write(redact(line));
  };
}

/** An error with its causes; the stack only where it is a defect of ours. */
function errorOf(error: unknown, level: LogLevel): unknown {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? {} : { cause: errorOf(error.cause, level) };
  if (isFault(error)) return { code: error.code, message: error.message, ...error.details, ...cause };
  return { name: error.name, message: error.message, ...level === "error" ? { stack: error.stack } : {}, ...cause };
}

function pretty(time: string, level: LogLevel, event: string, fields: LogFields): string {
  const rest = Object.entries(fields).map(([name, value]) =>
    `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`
  );
  return `${time.slice(11, 23)} ${level.padEnd(5)} ${event} ${rest.join(" ")}`.trimEnd();
}
