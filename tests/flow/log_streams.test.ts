/** Log streams: the reader's window sets the pace, nothing is lost, and what fails is told. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { Fault } from "../../mod/fault.ts";
import { chunksOf, createLogStreams, CUT_MARK, type SendChunk } from "../../mod/flow/log_streams.ts";
import type { LogPiece } from "../../mod/ports.ts";
import { logBytes } from "../../mod/protocol/log_size.ts";
import { LIMITS, type Params, type ToControlPlane } from "../../mod/protocol/methods.ts";
import { testLog } from "../fakes/pair.ts";
import { settled } from "../wait.ts";

const RUN_ID = "00000000-0000-4000-8000-000000000001";
const plain = () => ({ lines: (lines: readonly string[]) => [...lines] });
type Chunk = Params<ToControlPlane, "log.chunk">;

function engineOf(pieces: Iterable<LogPiece>): { read: number; logs(): AsyncGenerator<LogPiece> } {
  const engine = {
    read: 0,
    async *logs(): AsyncGenerator<LogPiece> {
      for (const piece of pieces) {
        engine.read++;
        yield piece;
      }
    },
  };
  return engine;
}

const lines = (text: string, cursor: string): LogPiece => ({ kind: "lines", lines: [text], cursor });
const end: LogPiece = { kind: "end", reason: "finished", cursor: "end" };

Deno.test("log stream: nothing is read beyond what the reader granted", async () => {
  const kib = "x".repeat(1023);
  const engine = engineOf([...Array(100).keys()].map((n) => lines(kib, `${n}`)));
  const answers: ((credit: number) => void)[] = [];
  const send: SendChunk = () => new Promise((resolve) => answers.push((credit) => resolve({ credit })));
  const streams = createLogStreams({ engine, createRedactor: plain, log: testLog().log });
  const session = new AbortController();
  streams.open(RUN_ID, { streamId: "s", follow: true, window: 4096 }, send, session.signal);
  await settled();
  assert.equal(answers.length, 4, "the window is 4 KiB and each chunk uses 1 KiB");
  assert(engine.read <= 5, `${engine.read} pieces were read for 4 that may be sent`);
  answers.splice(0, 2).forEach((give) => give(1024));
  await settled();
  assert.equal(answers.length, 4, "two more were granted");
  session.abort(new Fault("unavailable", "Cannot go on: over"));
  await settled();
  assert.equal(streams.size(), 0);
});

Deno.test("log stream: a line larger than the window goes when all is back", async () => {
  const sent: Chunk[] = [];
  const send: SendChunk = (chunk) => {
    sent.push(chunk);
    return Promise.resolve({ credit: logBytes(chunk.lines ?? []) });
  };
  const streams = createLogStreams({
    engine: engineOf([lines("y".repeat(5000), "1"), end]),
    createRedactor: plain,
    log: testLog().log,
  });
  streams.open(RUN_ID, { streamId: "s", follow: false, window: 1024 }, send, new AbortController().signal);
  await settled();
  assert.deepEqual(sent.map((chunk) => chunk.end?.reason ?? chunk.lines?.length), [1, "finished"]);
});

Deno.test("log stream: an engine that fails is told as the stream's end, with the reason and the place", async () => {
  const sent: Chunk[] = [];
  const engine = {
    async *logs(): AsyncGenerator<LogPiece> {
      yield lines("one", "c1");
      throw new Fault("not_found", "Cannot read the log of run x: it is gone");
    },
  };
  const streams = createLogStreams({ engine, createRedactor: plain, log: testLog().log });
  streams.open(RUN_ID, { streamId: "s", follow: true, window: 4096 }, (chunk) => {
    sent.push(chunk);
    return Promise.resolve({ credit: 100 });
  }, new AbortController().signal);
  await settled();
  assert.deepEqual(sent.at(-1), {
    streamId: "s",
    cursor: "c1",
    end: { reason: "failed", message: "Cannot read the log of run x: it is gone" },
  });
});

Deno.test("log stream: the same id twice is a conflict, too many are busy, a closed one stops reading", async () => {
  const engine = engineOf(function* () {
    for (;;) yield lines("z", "1");
  }());
  const streams = createLogStreams({ engine, createRedactor: plain, log: testLog().log, maxStreams: 1 });
  const session = new AbortController();
  const open = (streamId: string) =>
    streams.open(RUN_ID, { streamId, follow: true, window: 1024 }, () => new Promise(() => {}), session.signal);
  open("a");
  assert.throws(() => open("a"), { code: "conflict" });
  assert.throws(() => open("b"), { code: "busy" });
  await settled();
  const read = engine.read;
  streams.close("a");
  await settled();
  assert.equal(streams.size(), 0);
  assert.equal(engine.read, read);
});

Deno.test("log chunks: property: at most 64 KiB or one line, every line once and in order, the last cursor last", () => {
  const line = fc.oneof(
    fc.string({ maxLength: 40 }),
    fc.integer({ min: 0, max: 70_000 }).map((size) => "é".repeat(size)),
  );
  fc.assert(
    fc.property(fc.array(line, { minLength: 1, maxLength: 12 }), (texts) => {
      const chunks = [...chunksOf({ kind: "lines", lines: texts, cursor: "after" }, "before", (all) => all)];
      assert.deepEqual(chunks.flatMap(({ chunk }) => chunk.lines), texts);
      assert.equal(chunks.at(-1)?.chunk.cursor, "after");
      assert(chunks.slice(0, -1).every(({ chunk }) => chunk.cursor === "before"));
      for (const { chunk, bytes } of chunks) {
        assert.equal(bytes, new TextEncoder().encode((chunk.lines ?? []).map((text) => `${text}\n`).join("")).length);
        assert(bytes <= LIMITS.logChunkBytes || chunk.lines?.length === 1);
      }
    }),
    { numRuns: 50 },
  );
});

Deno.test("log chunks: a line over 256 KiB is cut and marked", () => {
  const [only] = [...chunksOf({ kind: "lines", lines: ["a".repeat(300 * 1024)], cursor: "c" }, "", (all) => all)];
  assert.equal(only?.chunk.lines?.[0], "a".repeat(LIMITS.logLineBytes) + CUT_MARK);
});
