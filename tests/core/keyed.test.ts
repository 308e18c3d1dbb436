/** Work in turn, by key: order, abort, and that nothing is left behind. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { createKeyed } from "../../mod/keyed.ts";
import { test } from "../limited.ts";
import { settled, within } from "../wait.ts";

test("keyed: property: work on one key never overlaps and keeps its order; other keys don't wait", async () => {
  const keys = fc.uniqueArray(fc.constantFrom("a", "b", "c"), { minLength: 1, maxLength: 3 });
  await fc.assert(
    fc.asyncProperty(fc.array(keys, { maxLength: 12 }), async (works) => {
      const keyed = createKeyed(), inside = new Map<string, number>(), order = new Map<string, number[]>();
      const all = Promise.all(works.map((own, n) =>
        keyed.run(own, async () => {
          for (const key of own) {
            assert.equal(inside.get(key) ?? 0, 0, `two at once under ${key}`);
            inside.set(key, 1);
            order.set(key, [...order.get(key) ?? [], n]);
          }
          await settled();
          for (const key of own) inside.set(key, 0);
          if (n % 3 === 0) throw new Error("one that fails holds up nobody");
        }).catch(() => {})
      ));
      await within("the end of all work", all);
      for (const list of order.values()) assert.deepEqual(list, [...list].sort((a, b) => a - b));
      assert.equal(keyed.size(), 0);
    }),
    { numRuns: 40 },
  );
});

test("keyed: an abort ends the wait with its reason; who comes after still waits for what was before", async () => {
  const keyed = createKeyed(), gate = Promise.withResolvers<void>(), stop = new AbortController();
  const reason = new Error("no longer wanted"), done: string[] = [];
  const step = (name: string) => () => Promise.resolve(void done.push(name));
  const first = keyed.run(["a"], () => gate.promise.then(step("first")));
  const second = keyed.run(["a"], step("second"), stop.signal);
  stop.abort(reason);
  await assert.rejects(second, (error) => error === reason);
  const third = keyed.run(["a"], step("third"));
  await settled();
  assert.deepEqual(done, [], "the third did not wait for the first");
  gate.resolve();
  await Promise.all([first, third]);
  assert.deepEqual(done, ["first", "third"]);
  assert.equal(keyed.size(), 0);
});

test("keyed: with a signal that has aborted nothing is begun", async () => {
  const keyed = createKeyed(), reason = new Error("too late");
  await assert.rejects(
    keyed.run(["a"], () => assert.fail("it was begun"), AbortSignal.abort(reason)),
    (error) => error === reason,
  );
  await settled();
  assert.equal(keyed.size(), 0);
});
