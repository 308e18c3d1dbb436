/** For any log and any way in which reading it is broken off, what was read is the log: nothing lost, nothing twice. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { readRunLog } from "../../adapters/engine/cluster/logs/read.ts";
import { clock, type Entry, line, startKubelet, type Trick } from "./cluster_logs_kubelet.ts";

const safe = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };
const SECOND = 1_000_000_000;

/** Nanoseconds to the next line: often none; sometimes back, as of two streams that are written side by side. */
const step = fc.oneof(
  { weight: 3, arbitrary: fc.constant(0) },
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 3 }) },
  { weight: 2, arbitrary: fc.integer({ min: SECOND / 10, max: 3 * SECOND }) },
  { weight: 1, arbitrary: fc.integer({ min: -SECOND / 2, max: -1 }) },
);
const text = fc.oneof(
  fc.constantFrom("", "x", "äöü€", "a line", "2026-03-01T10:00:00.000000001Z a line that looks like two"),
  fc.string({ unit: "grapheme", maxLength: 30 }).map((text) => text.replaceAll(/[\r\n]/g, " ")),
);
/** A line of one or more entries. */
const written = fc.tuple(step, fc.array(text, { minLength: 1, maxLength: 3 }));
const attempt = fc.record({ lines: fc.array(written, { maxLength: 25 }), isEnded: fc.boolean() });
/** No reader can tell a log from one whose answer ends, as if whole, at the same byte twice in a row. */
const isTelling = (tricks: Trick[]) =>
  tricks.every((trick, at) => !isCleanCut(trick) || at === 0 || !isCleanCut(tricks[at - 1]));
const isCleanCut = (trick: Trick | undefined) => trick?.does === "cut" && trick.clean;
const trick: fc.Arbitrary<Trick> = fc.oneof(
  fc.record({ does: fc.constant("cut" as const), after: fc.nat(1500), clean: fc.boolean() }),
  fc.record({ does: fc.constant("cut" as const), after: fc.nat(80), clean: fc.constant(true) }),
  fc.constant<Trick>({ does: "refuse", code: 503, message: "starting" }),
);

/** The file's entries, and what a reader should have read. */
function fileOf({ lines, isEnded }: { lines: [number, string[]][]; isEnded: boolean }, from: number) {
  const entries: Entry[] = [];
  let time = from;
  for (const [at, [step, parts]] of lines.entries()) {
    time = Math.max(from, time + step);
    for (const [part, text] of parts.entries()) {
      const isLast = part === parts.length - 1;
      // Only the last line of a file may have no end.
      entries.push(line(text, time, !isLast || (!isEnded && at === lines.length - 1)));
      if (!isLast) time += 1;
    }
  }
  return { entries, texts: lines.map(([, parts]) => parts.join("")) };
}

Deno.test({
  name: "cluster logs: for any log and any cuts, what is resumed is the log",
  ...safe,
  fn: async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(attempt, { minLength: 1, maxLength: 3 }),
        fc.array(trick, { maxLength: 6 }).filter(isTelling),
        fc.array(fc.nat(4), { maxLength: 4 }),
        fc.boolean(),
        async (attempts, tricks, stops, follow) => {
          const kubelet = startKubelet();
          try {
            const files = attempts.map((attempt, at) => fileOf(attempt, at * 100 * SECOND));
            for (const { entries } of files) kubelet.attempt(entries);
            kubelet.isOver = true;
            kubelet.tricks.push(...tricks.map((trick) => ({ ...trick })));
            const source = { runId: "r", access: kubelet.access, namespace: "jobs", clock, log: () => {} };
            const signal = new AbortController().signal;
            const lines: string[] = [];
            let cursor: string | undefined;
            // A reader that goes away after so many pieces, and comes back.
            for (const pieces of [...stops, Infinity]) {
              let left = pieces;
              const options = { follow, ...cursor === undefined ? {} : { cursor } };
              for await (const piece of readRunLog({ ...source, look: kubelet.look }, options, signal)) {
                assert.notEqual(piece.kind, "gap", "nothing was rotated away");
                if (piece.kind === "gap") continue;
                if (piece.kind === "lines") lines.push(...piece.lines);
                else assert.equal(piece.reason, "finished");
                cursor = piece.cursor;
                if (left-- <= 0) break;
              }
            }
            assert.deepEqual(lines, files.flatMap(({ texts }) => texts));
          } finally {
            await kubelet.close();
          }
        },
      ),
      { numRuns: 250 },
    );
  },
});
