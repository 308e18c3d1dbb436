/** The link: when it dials again, how long it waits, and what cuts a wait short. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { createBackoff } from "../../mod/backoff.ts";
import { Fault } from "../../mod/fault.ts";
import { runLink } from "../../mod/flow/link.ts";
import type { SessionEnd } from "../../mod/flow/session.ts";
import { forever, orAbort } from "../../mod/waiting.ts";
import { connectionPair, testClock, testLog } from "../fakes/pair.ts";
import { settled, within } from "../wait.ts";

interface Play {
  dials: number[];
  events: string[];
  clock: ReturnType<typeof testClock>;
  rotate(): void;
  stop(): Promise<void>;
}

/** Plays a list of ends (a fault: the dial fails; an end: the session ended so) and notes when each dial came. */
function play(ends: (Fault | Partial<SessionEnd>)[], chance = 1): Play {
  const clock = testClock(0), { log, events } = testLog(), stopping = new AbortController();
  const dials: number[] = [];
  let rotated = Promise.withResolvers<void>();
  const running = runLink({
    channel: {
      dial: (signal) => {
        dials.push(clock.now());
        const next = ends[dials.length - 1];
        if (next instanceof Fault) return Promise.reject(next);
        if (next === undefined) return forever(signal);
        return Promise.resolve(connectionPair()[0]);
      },
    },
    tokens: {
      read: () => Promise.resolve("t"),
      changed: (signal) => orAbort(rotated.promise, signal),
    },
    session: () => {
      const next = ends[dials.length - 1];
      assert(next !== undefined && !(next instanceof Fault));
      return Promise.resolve({ code: 1006, reason: "", heldMs: 0, renewed: false, ...next });
    },
    backoff: createBackoff({ baseMs: 1000, capMs: 60_000, random: { float: () => chance } }),
    clock,
    random: { uuid: () => "", float: () => chance },
    log,
    disconnected: () => {},
  }, { stopping: stopping.signal, hard: stopping.signal, beat: () => {} });
  return {
    dials,
    events,
    clock,
    rotate: () => {
      rotated.resolve();
      rotated = Promise.withResolvers();
    },
    stop: async () => {
      stopping.abort(new Fault("unavailable", "Cannot go on: the test is over"));
      await within("the end of the link", running);
    },
  };
}

/** Second by second: a long wait is made of short ones, each of which begins when the one before has ended. */
async function pass(clock: Play["clock"], seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second++) await clock.advance(1000);
}

const gone = new Fault("unavailable", "Cannot reach it: refused");

Deno.test("link: the first retry is immediate, then the waits double up to the cap", async () => {
  const { dials, clock, stop } = play(Array(9).fill(gone));
  for (let second = 0; second < 300; second++) await clock.advance(1000);
  const waits = dials.slice(1).map((at, n) => (at - (dials[n] ?? 0)) / 1000);
  assert.deepEqual(waits.slice(0, 9), [0, 1, 2, 4, 8, 16, 32, 60, 60]);
  await stop();
});

Deno.test("link: the backoff is forgiven after a link that held for a minute, not before", async () => {
  const short = play([gone, gone, gone, { heldMs: 59_000 }, {}]);
  const long = play([gone, gone, gone, { heldMs: 60_000 }, {}]);
  for (let second = 0; second < 30; second++) await Promise.all([short.clock.advance(1000), long.clock.advance(1000)]);
  const wait = ({ dials }: Play) => ((dials[4] ?? NaN) - (dials[3] ?? NaN)) / 1000;
  assert.deepEqual([wait(short), wait(long)], [4, 0]);
  await Promise.all([short.stop(), long.stop()]);
});

Deno.test("link: a renewed connection is dialled anew at once", async () => {
  const { dials, stop } = play([{ code: 1000, renewed: true }, { code: 1000, renewed: true }, {}]);
  await settled();
  assert.deepEqual(dials, [0, 0, 0, 0]);
  await stop();
});

for (
  const [name, end] of [["close 4401", { code: 4401 }], [
    "HTTP 401",
    new Fault("denied", "Cannot dial: refused"),
  ]] as const
) {
  Deno.test(`link: after ${name} it waits at the cap, and a new token cuts the wait short`, async () => {
    const { dials, events, clock, rotate, stop } = play([end, end]);
    await pass(clock, 30);
    assert.equal(dials.length, 1);
    rotate();
    await settled();
    assert.equal(dials.length, 2, "the new token was not tried at once");
    await pass(clock, 59);
    assert.equal(dials.length, 2);
    await pass(clock, 2);
    assert.equal(dials.length, 3);
    assert(events.includes("link.token_changed"));
    await stop();
  });
}

Deno.test("link: two instances wait at the cap; a goodbye spreads over its seconds", async () => {
  const two = play([{ code: 4409 }]), bye = play([{ code: 4400, goodbyeSeconds: 20 }], 0.5);
  await settled();
  await Promise.all([pass(two.clock, 9), pass(bye.clock, 9)]);
  assert.deepEqual([two.dials.length, bye.dials.length], [1, 1]);
  await Promise.all([pass(two.clock, 52), pass(bye.clock, 2)]);
  assert.deepEqual([two.dials.length, bye.dials.length], [2, 2]);
  await Promise.all([two.stop(), bye.stop()]);
});

Deno.test("backoff: property: every wait lies between 0 and the cap", () => {
  fc.assert(fc.property(fc.nat({ max: 100 }), fc.double({ min: 0, max: 0.999, noNaN: true }), (tries, chance) => {
    const backoff = createBackoff({ baseMs: 1000, capMs: 60_000, random: { float: () => chance } });
    const waits = Array.from({ length: tries + 1 }, () => backoff.next());
    assert(waits.every((ms) => ms >= 0 && ms <= 60_000));
  }));
});
