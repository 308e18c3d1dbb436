import assert from "node:assert/strict";
import { ageOf, count, duration, utc } from "../../control-plane/web/format.ts";

Deno.test("durations read as people say them", () => {
  const table: [number, string][] = [
    [0, "0 ms"],
    [340.4, "340 ms"],
    [1000, "1.0 s"],
    [9990, "9.9 s"],
    [59_999, "59 s"],
    [543_000, "9 min 3 s"],
    [3_600_000, "1 h"],
    [7_500_000, "2 h 5 min"],
    [86_400_000 * 3 + 3_600_000 * 4, "3 d 4 h"],
  ];
  for (const [milliseconds, text] of table) assert.equal(duration(milliseconds), text);
});

Deno.test("ages tell the past from the future", () => {
  const now = Date.parse("2026-03-04T12:00:00Z");
  const table: [number, string][] = [
    [0, "now"],
    [-30, "30 s ago"],
    [-180, "3 min ago"],
    [-7200, "2 h ago"],
    [-86_400 * 3, "3 d ago"],
    [30, "in 30 s"],
    [86_400 * 60, "in 60 d"],
  ];
  for (const [seconds, text] of table) assert.equal(ageOf(now + seconds * 1000, now), text);
  assert.equal(ageOf(NaN, now), "");
});

Deno.test("instants are shown in UTC, whatever their offset; what is none stays as it is", () => {
  assert.equal(utc("2026-03-04T13:00:00.123+01:00"), "2026-03-04 12:00:00 UTC");
  assert.equal(utc("soon"), "soon");
  assert.equal(count(1, "run"), "1 run");
  assert.equal(count(0, "run"), "0 runs");
});
