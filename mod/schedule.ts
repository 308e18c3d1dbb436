/**
 * Schedules: five-field cron text in an IANA time zone, the same subset on every engine. Pure: times come as arguments.
 *
 * Daylight saving, as tests/engine/schedule.test.ts shows it: a time that the spring gap swallows runs once, at the
 * first moment after the gap; a fixed time in the doubled autumn hour runs once, at its first occurrence; a wildcard
 * hour runs in both.
 */
import { Cron } from "croner";
import { Fault, reasonOf } from "./fault.ts";

/** A schedule that was read and found good. */
export interface Schedule {
  /** Five fields; shorthands are spelled out. */
  readonly cron: string;
  /** IANA name. */
  readonly timezone: string;
  /** The first slot after `time` (ms since the epoch). */
  next(time: number): number | undefined;
  /** The last slot at or before `time`. */
  latest(time: number): number | undefined;
}

/** Reads a job's schedule. Faults: `invalid` with `path` `schedule` or `timezone`. */
export function parseSchedule(schedule: string, timezone = "UTC"): Schedule {
  const cron = (SHORTHANDS[schedule.trim().toLowerCase()] ?? schedule).trim().replace(/\s+/g, " ");
  checkFields(schedule, cron);
  checkZone(timezone);
  const pattern = compile(schedule, cron, timezone);
  if (pattern.nextRun(ANY_DAY) === null) throw badSchedule(schedule, "no day of any year matches it");
  return {
    cron,
    timezone,
    next: (time) => pattern.nextRun(new Date(time))?.getTime(),
    // Croner looks strictly before whole seconds: from the next one it sees a slot of this second.
    latest: (time) => pattern.previousRuns(1, new Date((Math.floor(time / 1000) + 1) * 1000))[0]?.getTime(),
  };
}

/** Airflow's and cron's shorthands. */
export const SHORTHANDS: Readonly<Record<string, string>> = {
  "@hourly": "0 * * * *",
  "@daily": "0 0 * * *",
  "@midnight": "0 0 * * *",
  "@weekly": "0 0 * * 0",
  "@monthly": "0 0 1 * *",
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *",
};

/** Where the search for any slot at all begins; a leap day is never more than eight years away. */
const ANY_DAY = new Date(Date.UTC(2024, 0, 1));

// Croner also knows seconds, years, L, W and #, which the cluster's cron controllers do not: only what all of them
// read alike is let in.
const NAMES = "JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC|SUN|MON|TUE|WED|THU|FRI|SAT";
const VALUE = `(?:\\d{1,2}|${NAMES})`;
const PART = `(?:[*?]|${VALUE}-${VALUE})(?:/\\d{1,2})?|${VALUE}`;
const FIELD = new RegExp(`^(?:${PART})(?:,(?:${PART}))*$`, "i");

function checkFields(schedule: string, cron: string): void {
  if (cron.startsWith("@")) {
    throw badSchedule(schedule, `unknown shorthand; known are ${Object.keys(SHORTHANDS).join(", ")}`);
  }
  const fields = cron === "" ? [] : cron.split(" ");
  if (fields.length !== 5) {
    throw badSchedule(schedule, `it has ${fields.length} fields; five are wanted: minute hour day month weekday`);
  }
  const bad = fields.find((field) => !FIELD.test(field));
  if (bad !== undefined) {
    throw badSchedule(schedule, `"${bad}" is not of the form *, 5, 1-5, */10, 1-30/10, MON, or a list of these`);
  }
}

function checkZone(timezone: string): void {
  try {
    // Offsets such as +02:00 are read by Intl, but they are no zones: they know no daylight saving.
    if (/^[A-Za-z]/.test(timezone) && new Intl.DateTimeFormat("en", { timeZone: timezone })) return;
  } catch {
    // Falls to the fault below, which says more than Intl does.
  }
  throw new Fault(
    "invalid",
    `Cannot use the time zone "${timezone}": no such IANA zone; write one like "Europe/Berlin" or "UTC"`,
    { path: "timezone" },
  );
}

function compile(schedule: string, cron: string, timezone: string): Cron {
  try {
    return new Cron(cron, { timezone, mode: "5-part", paused: true });
  } catch (error) {
    throw badSchedule(schedule, reasonOf(error).replace(/^CronPattern: /, ""), error);
  }
}

function badSchedule(schedule: string, why: string, cause?: unknown): Fault {
  return new Fault("invalid", `Cannot use the schedule "${schedule}": ${why}`, { path: "schedule", cause });
}
