/** The helps for waiting: every wait ends with its promise, its ring or its abort. */
import assert from "node:assert/strict";
import { aborted, createBell, forever, orAbort } from "../../mod/waiting.ts";
import { testClock } from "../fakes/pair.ts";
import { test } from "../limited.ts";
import { settled } from "../wait.ts";

const reason = new Error("enough");
const isReason = (error: unknown) => error === reason;

test("waiting: orAbort gives the promise's outcome, or the signal's reason", async () => {
  const { signal } = new AbortController(), stop = new AbortController();
  assert.equal(await orAbort(Promise.resolve(1), signal), 1);
  await assert.rejects(orAbort(Promise.reject(reason), signal), isReason);
  const late = orAbort(Promise.withResolvers<void>().promise, stop.signal);
  stop.abort(reason);
  await assert.rejects(late, isReason);
  // The promise that was given up may fail later: that is nobody's unhandled rejection.
  await assert.rejects(orAbort(Promise.reject(new Error("late")), stop.signal), isReason);
});

test("waiting: forever and aborted end with the signal, at once if it has aborted", async () => {
  const stop = new AbortController();
  const waits = [assert.rejects(forever(stop.signal), isReason), aborted(stop.signal)];
  stop.abort(reason);
  await Promise.all(waits);
  await assert.rejects(forever(stop.signal), isReason);
  await aborted(stop.signal);
});

test("waiting: a bell ends the present wait, or the next one if nobody waits", async () => {
  const bell = createBell(), clock = testClock(0), stop = new AbortController();
  const woken = bell.wait(1000, clock, stop.signal);
  bell.ring();
  await woken;
  bell.ring();
  await bell.wait(1000, clock, stop.signal);
  const whole = bell.wait(1000, clock, stop.signal);
  await settled();
  assert.equal(clock.sleepers(), 1, "the third wait has no ring left");
  await clock.advance(1000);
  await whole;
  const ended = bell.wait(1000, clock, stop.signal);
  stop.abort(reason);
  await assert.rejects(ended, isReason);
});
