/** The outbox: every state told in order, the terminal one once and for good, whatever is lost on the way. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { Fault } from "../../mod/fault.ts";
import { createOutbox, type Outbox, statusesUpTo } from "../../mod/flow/outbox.ts";
import type { RunStatus } from "../../mod/protocol/methods.ts";
import { isTerminal, RANK, type Run, type RunState } from "../../mod/run.ts";
import { testClock, testLog } from "../fakes/pair.ts";
import { settled, within } from "../wait.ts";

const RUN_ID = "00000000-0000-4000-8000-000000000001";
const at = (second: number) => new Date(Date.UTC(2026, 2, 1, 0, 0, second)).toISOString();

function view(state: RunState, more: Partial<Run> = {}): Run {
  const times = { received: at(0), accepted: at(1), created: at(2) };
  const started = RANK[state] >= 2 ? { started: at(3) } : {};
  const finished = isTerminal(state) ? { finished: at(9) } : {};
  return {
    runId: RUN_ID,
    pipelineId: "p",
    revision: 1,
    kind: "pipeline",
    origin: "command",
    state,
    times: { ...times, ...started, ...finished },
    ...more,
  };
}

interface World {
  outbox: Outbox;
  told: RunStatus[];
  acknowledged: string[];
  clock: ReturnType<typeof testClock>;
}

function world(): World {
  const clock = testClock();
  const acknowledged: string[] = [];
  const engine = { acknowledge: (runId: string) => Promise.resolve(void acknowledged.push(runId)) };
  return { outbox: createOutbox({ engine, clock, log: testLog().log }), told: [], acknowledged, clock };
}

/** What a control plane keeps: repeats dropped by (runId, rank, note), nothing after the first terminal state. */
function ledger(): { take(status: RunStatus): void; kept: RunStatus[] } {
  const kept: RunStatus[] = [];
  return {
    kept,
    take(status) {
      const same = (one: RunStatus) => RANK[one.state] === RANK[status.state] && one.note === status.note;
      if (kept.some((one) => isTerminal(one.state) || same(one))) return;
      assert(RANK[status.state] >= (kept.at(-1) ? RANK[kept.at(-1)!.state] : 0), "a rank went back");
      kept.push(status);
    },
  };
}

Deno.test("outbox: a run seen only at its end is told from its own times, in order, then marked", async () => {
  const { outbox, told, acknowledged } = world();
  const stop = new AbortController();
  outbox.observe(view("success"));
  const delivering = outbox.deliver((status) => Promise.resolve(void told.push(status)), stop.signal);
  await settled();
  assert.deepEqual(told.map((status) => status.state), ["queued", "running", "success"]);
  assert.deepEqual(told.map((status) => Object.keys(status.times).length), [3, 4, 5]);
  assert.deepEqual(acknowledged, [RUN_ID]);
  assert.deepEqual(outbox.open(), []);
  outbox.observe(view("success"));
  await settled();
  assert.equal(told.length, 3, "a late view of a settled run is told again");
  stop.abort();
  await delivering;
});

Deno.test("outbox: a run that never started has no running state", () => {
  const run = view("stopped", { times: { received: at(0), finished: at(1) } });
  assert.deepEqual(statusesUpTo(run, 0).map((status) => status.state), ["queued", "stopped"]);
});

Deno.test("outbox: a note is told for another reason, never for the same one, and only the newest waits", async () => {
  const { outbox, told } = world();
  const reason = (code: string) => ({ reason: { code, message: code } });
  outbox.observe(view("queued", reason("A")));
  outbox.observe(view("queued", reason("A")));
  outbox.observe(view("queued", reason("B")));
  outbox.observe(view("queued", reason("C")));
  const stop = new AbortController();
  const delivering = outbox.deliver((status) => Promise.resolve(void told.push(status)), stop.signal);
  await settled();
  assert.deepEqual(told.map(({ note, reason }) => [note, reason?.code]), [[0, "A"], [2, "C"]]);
  stop.abort();
  await delivering;
});

Deno.test("outbox: what is not acknowledged is told again on the next session, and its age shows", async () => {
  const { outbox, told, clock } = world();
  outbox.observe(view("running"));
  const first = new AbortController();
  const lost = new Fault("unavailable", "Cannot get an answer: the link was lost");
  const failing = outbox.deliver(
    () => new Promise((_resolve, reject) => first.signal.addEventListener("abort", () => reject(lost))),
    first.signal,
  );
  await settled();
  await clock.advance(7000);
  assert.equal(outbox.oldestSeconds(), 7);
  first.abort(lost);
  await failing;
  await settled();
  const second = new AbortController();
  const delivering = outbox.deliver((status) => Promise.resolve(void told.push(status)), second.signal);
  await settled();
  assert.deepEqual(told.map((status) => status.state), ["queued", "running"]);
  assert.equal(outbox.oldestSeconds(), 0);
  second.abort();
  await delivering;
});

Deno.test("outbox: one run whose status is never answered does not hold up another", async () => {
  const { outbox, told } = world();
  const other = "00000000-0000-4000-8000-000000000002";
  outbox.observe(view("running"));
  outbox.observe(view("running", { runId: other }));
  const stop = new AbortController();
  const delivering = outbox.deliver(
    (status) => status.runId === RUN_ID ? new Promise(() => {}) : Promise.resolve(void told.push(status)),
    stop.signal,
  );
  await settled();
  assert.deepEqual(told.map((status) => status.runId), [other, other]);
  stop.abort();
  await delivering;
});

Deno.test("outbox: property: in order, one end, nothing lost, over lost answers and crashes", async () => {
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom<RunState>("queued", "running", "success", "failed", "stopped") },
    { weight: 1, arbitrary: fc.constant("crash" as const) },
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 12 }),
      fc.array(fc.constantFrom("ok", "lost", "late"), { maxLength: 20 }),
      async (steps, fates) => {
        const server = ledger();
        let marked = false, truth: Run | undefined;
        const clock = testClock();
        const engine = { acknowledge: () => Promise.resolve(void (marked = true)) };
        const fresh = () => createOutbox({ engine, clock, log: testLog().log });
        let outbox = fresh(), stop = new AbortController();
        const fate = fates.values();
        const tell = (status: RunStatus): Promise<void> => {
          const how = fate.next().value ?? "ok";
          // "late": it was written down, and the answer was lost.
          if (how !== "lost") server.take(status);
          return how === "ok" ? Promise.resolve() : Promise.reject(new Fault("unavailable", "Cannot: lost"));
        };
        let delivering = outbox.deliver(tell, stop.signal);
        for (const one of steps) {
          if (one === "crash") {
            stop.abort();
            await delivering;
            await settled();
            outbox = fresh();
            stop = new AbortController();
            if (truth && !marked) outbox.observe(truth);
            delivering = outbox.deliver(tell, stop.signal);
          } else if (truth === undefined || RANK[one] > RANK[truth.state]) {
            // The engine's truth only ever moves on.
            truth = view(one);
            outbox.observe(truth);
          } else outbox.observe(view(one));
          await settled();
        }
        // At most 20 fates are bad, and each costs a minute at most.
        for (let i = 0; i < 25; i++) await clock.advance(60_000);
        stop.abort();
        await delivering;
        const states = server.kept.map((status) => status.state);
        assert.deepEqual([...new Set(states)], truth ? statusesUpTo(truth, 0).map((status) => status.state) : []);
        assert.equal(marked, truth !== undefined && isTerminal(truth.state));
      },
    ),
    { numRuns: 60 },
  );
});

Deno.test("outbox: flushed waits for the last acknowledgement", async () => {
  const { outbox, clock } = world();
  outbox.observe(view("failed"));
  let isFlushed = false;
  const stop = new AbortController();
  const flushed = outbox.flushed(stop.signal).then(() => (isFlushed = true));
  await clock.advance(100);
  assert.equal(isFlushed, false);
  const delivering = outbox.deliver(() => Promise.resolve(), stop.signal);
  await settled();
  await clock.advance(100);
  await within("the flush", flushed);
  stop.abort();
  await delivering;
});
