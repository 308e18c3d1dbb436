import assert from "node:assert/strict";
import fc from "fast-check";
import { isFault } from "../../mod/fault.ts";
import { parseSchedule } from "../../mod/schedule.ts";

const at = (text: string) => new Date(text).getTime();
const iso = (time: number | undefined) => time === undefined ? undefined : new Date(time).toISOString();

function slots(schedule: string, timezone: string, from: string, count: number): (string | undefined)[] {
  const parsed = parseSchedule(schedule, timezone);
  const found: (string | undefined)[] = [];
  for (let time: number | undefined = at(from); found.length < count && time !== undefined;) {
    time = parsed.next(time);
    found.push(iso(time));
  }
  return found;
}

const NEXT: [name: string, schedule: string, timezone: string, from: string, wanted: string[]][] = [
  ["hourly shorthand", "@hourly", "UTC", "2026-01-01T00:00:00Z", ["2026-01-01T01:00:00.000Z"]],
  ["daily shorthand, any case and spaces", " @Daily ", "UTC", "2026-01-01T00:00:00Z", ["2026-01-02T00:00:00.000Z"]],
  ["weekly is Sunday", "@weekly", "UTC", "2026-01-01T00:00:00Z", ["2026-01-04T00:00:00.000Z"]],
  ["monthly", "@monthly", "UTC", "2026-01-01T00:00:00Z", ["2026-02-01T00:00:00.000Z"]],
  ["yearly", "@yearly", "UTC", "2026-01-01T00:00:00Z", ["2027-01-01T00:00:00.000Z"]],
  ["day of month or weekday", "0 0 13 * FRI", "UTC", "2026-01-01T00:00:00Z", [
    "2026-01-02T00:00:00.000Z",
    "2026-01-09T00:00:00.000Z",
    "2026-01-13T00:00:00.000Z",
  ]],
  ["both names of Sunday", "0 0 * * 7", "UTC", "2026-01-01T00:00:00Z", ["2026-01-04T00:00:00.000Z"]],
  ["leap day", "0 0 29 2 *", "UTC", "2026-01-01T00:00:00Z", ["2028-02-29T00:00:00.000Z"]],
  ["zone", "30 9 * * *", "Asia/Kolkata", "2026-01-01T00:00:00Z", ["2026-01-01T04:00:00.000Z"]],
  ["spring gap: once, after the gap", "30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", [
    "2026-03-29T01:00:00.000Z",
    "2026-03-30T00:30:00.000Z",
  ]],
  ["autumn's doubled hour: once, the first", "30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", [
    "2026-10-25T00:30:00.000Z",
    "2026-10-26T01:30:00.000Z",
  ]],
  ["autumn's doubled hour: wildcards run in both", "0 * * * *", "Europe/Berlin", "2026-10-24T23:30:00Z", [
    "2026-10-25T00:00:00.000Z",
    "2026-10-25T01:00:00.000Z",
    "2026-10-25T02:00:00.000Z",
  ]],
  ["midnight in the gap", "0 0 * * *", "America/Sao_Paulo", "2018-11-03T12:00:00Z", ["2018-11-04T03:00:00.000Z"]],
];

for (const [name, schedule, timezone, from, wanted] of NEXT) {
  Deno.test(`schedule: ${name}`, () => {
    assert.deepEqual(slots(schedule, timezone, from, wanted.length), wanted);
  });
}

const BAD: [schedule: string, timezone: string | undefined, path: string, says: RegExp][] = [
  ["", undefined, "schedule", /0 fields/],
  ["* * * *", undefined, "schedule", /4 fields/],
  ["0 * * * * *", undefined, "schedule", /6 fields/],
  ["2026-01-01T00:00:00", undefined, "schedule", /1 fields/],
  ["61 * * * *", undefined, "schedule", /61/],
  ["0 24 * * *", undefined, "schedule", /24/],
  ["0 0 0 * *", undefined, "schedule", /day/i],
  ["0 0 L * *", undefined, "schedule", /"L"/],
  ["0 0 * * MON#2", undefined, "schedule", /MON#2/],
  ["0 0 15W * *", undefined, "schedule", /15W/],
  ["*/0 * * * *", undefined, "schedule", /0/],
  ["1,,2 * * * *", undefined, "schedule", /1,,2/],
  ["-5 * * * *", undefined, "schedule", /-5/],
  ["0 22-2 * * *", undefined, "schedule", /22-2/],
  ["0 0 31 2 *", undefined, "schedule", /no day/],
  ["@reboot", undefined, "schedule", /shorthand/],
  ["None", undefined, "schedule", /1 fields/],
  ["* * * * *", "Mars/Olympus", "timezone", /Mars\/Olympus/],
  ["* * * * *", "", "timezone", /IANA/],
  ["* * * * *", "+02:00", "timezone", /IANA/],
];

for (const [schedule, timezone, path, says] of BAD) {
  Deno.test(`schedule: "${schedule}" in "${timezone ?? "the default zone"}" is refused`, () => {
    assert.throws(() => parseSchedule(schedule, timezone), (error: unknown) => {
      assert(isFault(error, "invalid"));
      assert.equal(error.details.path, path);
      assert.match(error.message, says);
      return true;
    });
  });
}

Deno.test("schedule: latest and next agree, in every zone, at every time", () => {
  const schedule = fc.constantFrom(
    "*/7 * * * *",
    "30 2 * * *",
    "0 */5 * * *",
    "15 1-3 * * 0",
    "0 0 1 * *",
    "5 3 */2 * *",
  );
  const zone = fc.constantFrom("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu");
  const time = fc.integer({ min: at("2024-01-01T00:00:00Z"), max: at("2030-01-01T00:00:00Z") });
  fc.assert(
    fc.property(schedule, zone, time, (text, timezone, from) => {
      const parsed = parseSchedule(text, timezone);
      const next = parsed.next(from);
      assert(next !== undefined && next > from);
      assert.equal(iso(parsed.latest(next)), iso(next));
      const latest = parsed.latest(from);
      assert(latest !== undefined && latest <= from, `${iso(latest)} is after ${iso(from)}`);
      assert.equal(iso(parsed.next(latest)), iso(next), "no slot lies between the latest and the next");
    }),
    { numRuns: 300 },
  );
});
