import assert from "node:assert/strict";
import fc from "fast-check";
import type { RunDetail } from "../../control-plane/mod/views.ts";
import { layOut, LEAST_WIDTH, POINTS } from "../../control-plane/web/timeline.ts";
import { FAILED, NOW, RUNNING, scene } from "./scene.ts";

const run = (id: string): RunDetail => structuredClone(scene().runs.find(({ runId }) => runId === id)!);
const now = NOW.getTime();
const near = (a: number, b: number) => assert.ok(Math.abs(a - b) < 1e-6, `${a} is not ${b}`);

Deno.test("a run that ended: its stages join, and sum up to the time from asked to finished", () => {
  const { stages, totalMs, notes, origin } = layOut(run(FAILED), now);
  assert.deepEqual(stages.map(({ from, to, durationMs }) => [from, to, durationMs]), [
    ["asked", "received", 1000],
    ["received", "accepted", 200],
    ["accepted", "created", 800],
    ["created", "started", 8000],
    ["started", "finished", 531_000],
  ]);
  assert.equal(totalMs, 541_000);
  assert.deepEqual([notes, origin], [[], "asked"]);
});

Deno.test("a short stage beside one that is a thousand times longer can still be seen, and the longer is drawn longer", () => {
  const { stages } = layOut(run(FAILED), now);
  for (const { width } of stages) assert.ok(width >= LEAST_WIDTH);
  assert.ok(stages[4]!.width > 80);
  assert.ok(stages[3]!.width > stages[0]!.width);
});

Deno.test("the last stage of a run that goes on reaches until now, and grows", () => {
  const at = (seconds: number) => layOut(run(RUNNING), now + seconds * 1000).stages.at(-1)!;
  assert.deepEqual([at(0).from, at(0).to, at(0).durationMs], ["started", undefined, 64_000]);
  assert.equal(at(10).durationMs, 74_000);
  assert.ok(at(10).width > at(0).width);
});

Deno.test("waiting reasons are marked in the stage in which they were told, each once", () => {
  const view = run(RUNNING);
  view.timeline.splice(2, 0, view.timeline[1]!);
  const { marks, stages } = layOut(view, now);
  assert.deepEqual(marks.map(({ text, stage }) => [text.slice(0, 7), stages[stage]!.from]), [
    ["No node", "created"],
    ["The ima", "created"],
  ]);
  const { left, width } = stages[3]!;
  assert.ok(left < marks[0]!.left && marks[0]!.left < marks[1]!.left && marks[1]!.left < left + width);
});

Deno.test("clocks that differ: a stage that would be negative lasts 0, and says so", () => {
  const view = run(FAILED);
  view.times.received = new Date(Date.parse(view.requestedAt!) - 3200).toISOString();
  const { stages, totalMs } = layOut(view, now);
  assert.equal(stages[0]!.durationMs, 0);
  assert.match(stages[0]!.notes[0]!, /clocks differ.*"received".*3\.2 s before "asked"/i);
  // The stages after it are of one clock, and stay right.
  assert.equal(stages[1]!.durationMs, 4400);
  assert.equal(totalMs, stages.reduce((sum, { durationMs }) => sum + durationMs, 0));
});

Deno.test("points that were not told: one stage spans them, and names them", () => {
  const view = run(FAILED);
  delete view.times.received;
  delete view.times.created;
  delete view.times.started;
  const { stages, totalMs } = layOut(view, now);
  assert.deepEqual(stages.map(({ label }) => label), ["Asked to accepted", "Accepted to finished"]);
  assert.match(stages[1]!.notes[0]!, /created, started/);
  assert.equal(totalMs, 541_000);
});

Deno.test("an end whose time was not told, a run of which nothing is known, and one that was only asked for", () => {
  const ended = run(FAILED);
  delete ended.times.finished;
  assert.match(layOut(ended, now).notes[0]!, /ended was not told/);
  assert.equal(layOut(ended, now).stages.length, 4);

  const nothing: RunDetail = { ...run(FAILED), requestedAt: undefined, times: {} };
  assert.deepEqual([layOut(nothing, now).stages, layOut(nothing, now).totalMs], [[], 0]);

  const asked: RunDetail = { ...run(RUNNING), state: "commanded", times: {}, timeline: [] };
  assert.deepEqual(layOut(asked, now).stages.map(({ label, to, width }) => [label, to, width]), [
    ["Reaching the runner", undefined, 100],
  ]);
});

Deno.test("a scheduled run begins when it was due", () => {
  const view: RunDetail = { ...run(FAILED), origin: "schedule", requestedAt: undefined };
  view.scheduledAt = new Date(Date.parse(view.times.received!) - 30_000).toISOString();
  const { origin, stages } = layOut(view, now);
  assert.deepEqual([origin, stages[0]!.durationMs], ["due", 30_000]);
});

Deno.test("whatever is told: no duration is negative, the sum is the sum, the bars fill the width", () => {
  const instant = fc.option(fc.oneof(fc.date({ noInvalidDate: true }).map((date) => date.toISOString()), fc.string()), {
    nil: undefined,
  });
  const view = fc.record({
    requestedAt: instant,
    times: fc.record(Object.fromEntries(POINTS.slice(1).map((point) => [point, instant]))),
    terminal: fc.boolean(),
    recordedAt: fc.array(fc.string({ maxLength: 3 }).chain(() => instant)),
  });
  fc.assert(fc.property(view, ({ requestedAt, times, terminal, recordedAt }) => {
    const told = recordedAt.map((at, note) => ({
      ...{ state: "queued" as const, rank: 1, note, recordedAt: at ?? "", times: {} },
      reason: { code: "x", message: String(note) },
    }));
    const { stages, totalMs, marks } = layOut({ ...run(FAILED), requestedAt, times, terminal, timeline: told }, now);
    near(totalMs, stages.reduce((sum, { durationMs }) => sum + durationMs, 0));
    if (stages.length > 0) near(stages.at(-1)!.left + stages.at(-1)!.width, 100);
    for (const { durationMs, width } of stages) assert.ok(durationMs >= 0 && width >= LEAST_WIDTH);
    for (const { left, stage } of marks) assert.ok(left >= 0 && left <= 100 + 1e-6 && stage in stages);
  }));
});
