/** The log reader of the cluster engines over a kubelet's bytes: whole, in order, once, whatever happens on the way. */
import assert from "node:assert/strict";
import { readRunLog, type RunLogSource } from "../../adapters/engine/cluster/logs/read.ts";
import { isFault } from "../../mod/fault.ts";
import type { Clock, LogOptions, LogPiece } from "../../mod/ports.ts";
import { until } from "../wait.ts";
import { type Attempt, clock, type Kubelet, line, startKubelet } from "./cluster_logs_kubelet.ts";

const safe = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };
const MS = 1_000_000;
const SECOND = 1000 * MS;

function test(name: string, run: (kubelet: Kubelet, signal: AbortSignal) => Promise<void>): void {
  Deno.test({
    name: `cluster logs: ${name}`,
    ...safe,
    fn: async () => {
      const kubelet = startKubelet();
      const life = new AbortController();
      const timer = setTimeout(() => life.abort(new Error("took too long")), 20_000);
      try {
        await run(kubelet, life.signal);
      } finally {
        clearTimeout(timer);
        life.abort();
        await kubelet.close();
      }
    },
  });
}

const source = (kubelet: Kubelet, more: Partial<RunLogSource> = {}): RunLogSource => ({
  ...{ runId: "a-run", access: kubelet.access, namespace: "jobs", clock, log: () => {} },
  look: kubelet.look,
  ...more,
});

async function read(kubelet: Kubelet, options: LogOptions, signal: AbortSignal, more: Partial<RunLogSource> = {}) {
  const pieces: LogPiece[] = [];
  for await (const piece of readRunLog(source(kubelet, more), options, signal)) pieces.push(piece);
  return summary(pieces);
}

function summary(pieces: LogPiece[]) {
  const lines = pieces.flatMap((piece) => piece.kind === "lines" ? piece.lines : []);
  const gaps = pieces.filter((piece) => piece.kind === "gap");
  const end = pieces.at(-1);
  assert(end?.kind === "end");
  return { lines, gaps, reason: end.reason, cursor: end.cursor, message: end.message };
}

/** Reads in the background; `lines` grows. */
function following(kubelet: Kubelet, signal: AbortSignal, more: Partial<RunLogSource> = {}) {
  const lines: string[] = [];
  const pieces: LogPiece[] = [];
  const finished = (async () => {
    for await (const piece of readRunLog(source(kubelet, more), { follow: true }, signal)) {
      pieces.push(piece);
      if (piece.kind === "lines") lines.push(...piece.lines);
    }
    return summary(pieces);
  })();
  finished.catch(() => {});
  return { lines, finished };
}

const three = () => [line("one", 0), line("two", 1), line("three", 2)];
const WHOLE = ["one", "two", "three"];

test("a finished log is whole, and its end is an end", async (kubelet, signal) => {
  kubelet.attempt([...three(), line("", 3), line("with\ttab ", 4), line("windows\r", 5)]);
  kubelet.isOver = true;
  for (const follow of [true, false]) {
    const { lines, reason, cursor, gaps } = await read(kubelet, { follow }, signal);
    assert.deepEqual([lines, reason, gaps], [[...WHOLE, "", "with\ttab ", "windows"], "finished", []]);
    assert.deepEqual((await read(kubelet, { follow, cursor }, signal)).lines, []);
  }
});

test("follows from before the pod has a node to the end, over two attempts", async (kubelet, signal) => {
  const first = kubelet.attempt([], "none");
  const { lines, finished } = following(kubelet, signal);
  first.state = "waiting";
  await until("a few looks", () => kubelet.asked.length === 0);
  first.state = "running";
  for (const [at, entry] of three().entries()) {
    first.write(entry);
    await until(`line ${at}`, () => lines.length === at + 1);
  }
  first.end();
  const second = kubelet.attempt([line("again", 200 * SECOND)], "running");
  await until("the second attempt", () => lines.length === 4);
  second.write({ ...line("unended", 201 * SECOND), isPartial: true });
  second.end();
  kubelet.isOver = true;
  const { lines: all, reason, gaps } = await finished;
  assert.deepEqual([all, reason, gaps], [[...WHOLE, "again", "unended"], "finished", []]);
});

test("a running log that is not followed ends where it is, without half a line", async (kubelet, signal) => {
  kubelet.attempt([...three(), line("half", 9, true)], "running");
  const { lines, reason } = await read(kubelet, { follow: false }, signal);
  assert.deepEqual([lines, reason], [WHOLE, "not-following"]);
});

test("before anything has started there is nothing, and no error", async (kubelet, signal) => {
  assert.equal((await read(kubelet, { follow: false }, signal)).reason, "not-following");
  const attempt = kubelet.attempt([], "none");
  assert.equal((await read(kubelet, { follow: false }, signal)).reason, "not-following");
  attempt.state = "waiting";
  assert.equal((await read(kubelet, { follow: false }, signal)).reason, "not-following");
  // A container that the look saw running and the kubelet does not know yet.
  attempt.state = "running";
  attempt.write(...three());
  kubelet.tricks.push({
    does: "refuse",
    code: 400,
    message: 'container "main" in pod "x" is waiting to start: Pending',
  });
  assert.deepEqual((await read(kubelet, { follow: false }, signal)).lines, WHOLE);
});

test("a container that the kubelet does not know is waited for only while it is followed", async (kubelet, signal) => {
  kubelet.attempt(three(), "running");
  const refusal = { does: "refuse", code: 400, message: 'container "main" in pod "x" is not available' } as const;
  kubelet.tricks.push(...Array.from({ length: 20 }, () => refusal));
  assert.equal((await read(kubelet, { follow: false }, signal)).reason, "not-following");
  const { lines } = following(kubelet, signal);
  await until("its lines", () => lines.length === 3);
});

test("a run that ended before any container ran has an empty log", async (kubelet, signal) => {
  kubelet.isOver = true;
  kubelet.hasRun = false;
  for (const follow of [true, false]) {
    const { lines, reason } = await read(kubelet, { follow }, signal);
    assert.deepEqual([lines, reason], [[], "finished"]);
  }
  kubelet.attempt([], "waiting");
  assert.equal((await read(kubelet, { follow: true }, signal)).reason, "finished");
});

test("a container that could not be started has an empty log, not a lost one", async (kubelet, signal) => {
  kubelet.attempt([]).neverRan = true;
  kubelet.isOver = true;
  const refusal = { does: "refuse", code: 400, message: 'container "main" in pod "x" is terminated' } as const;
  kubelet.tricks.push(...Array.from({ length: 8 }, () => refusal));
  assert.equal((await read(kubelet, { follow: true }, signal)).reason, "finished");
});

const LOST: [string, (kubelet: Kubelet, attempt: Attempt) => void][] = [
  ["its pod", (kubelet) => kubelet.attempts.splice(0)],
  ["its pod while the list is old", (kubelet) => {
    const { look, attempts } = kubelet;
    const old = look();
    kubelet.look = () => old;
    attempts.splice(0);
  }],
  ["its container", (kubelet) => {
    const words = "unable to retrieve container logs for containerd://0123456789abcdef";
    kubelet.tricks.push(...Array.from({ length: 8 }, () => ({ does: "say", words, after: 0 } as const)));
  }],
  ["its file", (kubelet) => {
    const words = 'failed to try resolving symlinks in path "/var/log/pods/x/main/0.log": lstat /var/log/pods/x/main/' +
      "0.log: no such file or directory";
    kubelet.tricks.push(...Array.from({ length: 8 }, () => ({ does: "say", words, after: 0 } as const)));
  }],
];
for (const [what, lose] of LOST) {
  test(`a log whose run lost ${what} is gone`, async (kubelet, signal) => {
    const attempt = kubelet.attempt(three());
    kubelet.isOver = true;
    const { cursor } = await read(kubelet, { follow: true }, signal);
    lose(kubelet, attempt);
    for (const options of [{ follow: true }, { follow: false, cursor }]) {
      const { lines, reason } = await read(kubelet, options, signal);
      assert.deepEqual([lines, reason], [[], "gone"]);
    }
  });
}

test("an attempt that is lost between others is a gap", async (kubelet, signal) => {
  kubelet.attempt(three());
  kubelet.attempt([line("lost", 101 * SECOND)]);
  kubelet.attempt([line("last", 201 * SECOND)]);
  kubelet.isOver = true;
  let cursor = "";
  for await (const piece of readRunLog(source(kubelet), { follow: true }, signal)) {
    if (piece.kind !== "lines") continue;
    cursor = piece.cursor;
    break;
  }
  // The first two pods are deleted.
  const look = kubelet.look;
  kubelet.look = async () => {
    const seen = await look();
    return seen && { ...seen, pods: seen.pods.slice(2) };
  };
  const { lines, gaps, reason } = await read(kubelet, { follow: true, cursor }, signal);
  assert.deepEqual([lines, gaps.length, reason], [["last"], 1, "finished"]);
});

test("an unknown run is not found, and a deleted one is gone", async (kubelet, signal) => {
  const attempt = kubelet.attempt(three(), "running");
  const { lines, finished } = following(kubelet, signal);
  await until("its lines", () => lines.length === 3);
  kubelet.isDeleted = true;
  kubelet.attempts.splice(0);
  attempt.end();
  assert.equal((await finished).reason, "gone");
  await assert.rejects(read(kubelet, { follow: true }, signal), (error) => isFault(error, "not_found"));
});

test("a cursor that was never given is invalid", async (kubelet, signal) => {
  const stamp = "2026-03-01T10:00:00.000000000Z";
  const wrong = ["", "-1", "x", "1e3", "9".repeat(400), `uid/${stamp}/1`, `uid/${stamp}/1/2/3`, `uid/${stamp}/-1/2`];
  for (const cursor of [...wrong, "uid/2026-99-01T10:00:00.000000000Z/1/2", `uid/${stamp.slice(0, -2)}Z/1/2`]) {
    await assert.rejects(read(kubelet, { follow: false, cursor }, signal), (error) => {
      assert(isFault(error, "invalid"), String(error));
      return error.details.path === "cursor";
    });
  }
});

test("a broken or silent way is taken anew, without loss or repeat", async (kubelet, signal) => {
  const attempt = kubelet.attempt(three(), "running");
  const [length] = [line("one", 0).text.length + 32];
  kubelet.tricks.push(
    { does: "refuse", code: 500, message: "dial tcp 10.0.0.1:10250: connect: connection refused" },
    { does: "cut", after: 0, clean: true },
    { does: "cut", after: length + 5, clean: false },
    { does: "cut", after: length + 34, clean: true },
    { does: "silence", after: length + 10 },
    { does: "say", words: "failed to create fsnotify watcher: too many open files" },
    { does: "refuse", code: 503, message: "the API server is starting" },
  );
  const { lines, finished } = following(kubelet, signal, { silenceMs: 200 });
  await until("three lines", () => lines.length === 3);
  attempt.write(line("four", SECOND));
  await until("four lines", () => lines.length === 4);
  attempt.end();
  kubelet.isOver = true;
  const { lines: all, gaps, reason } = await finished;
  assert.deepEqual([all, gaps, reason], [[...WHOLE, "four"], [], "finished"]);
});

test("what was rotated away is a gap between what was read and what is there", async (kubelet, signal) => {
  const attempt = kubelet.attempt(three(), "running");
  const first = await read(kubelet, { follow: false }, signal);
  attempt.entries = [line("seven", 7), line("eight", 8)];
  attempt.end();
  kubelet.isOver = true;
  const { lines, gaps, cursor } = await read(kubelet, { follow: true, cursor: first.cursor }, signal);
  assert.deepEqual(lines, ["seven", "eight"]);
  const [gap] = gaps;
  assert(gaps.length === 1 && gap);
  assert.equal(gap.from, first.cursor);
  // Whoever resumes after the gap is told of none.
  const resumed = await read(kubelet, { follow: true, cursor: gap.to }, signal);
  assert.deepEqual([resumed.lines, resumed.gaps, resumed.cursor], [["seven", "eight"], [], cursor]);
});

test("a log that is rotated while it is followed goes on", async (kubelet, signal) => {
  const attempt = kubelet.attempt(three(), "running");
  const { lines, finished } = following(kubelet, signal);
  await until("three lines", () => lines.length === 3);
  attempt.entries = [];
  attempt.write(line("four", 4));
  await until("four lines", () => lines.length === 4);
  attempt.end();
  kubelet.isOver = true;
  assert.deepEqual((await finished).gaps, []);
});

test("what the runtime writes after it has told the end is not left out", async (kubelet, signal) => {
  const attempt = kubelet.attempt(three());
  kubelet.isOver = true;
  const late = [line("four", 4), line("five", 5)];
  // A pause of a second is where the reader waits for just that.
  const slow: Clock = {
    now: () => Date.parse("2026-03-01T10:00:09Z"),
    sleep: (ms, signal) => {
      if (ms >= 1000) attempt.write(...late.splice(0, 1));
      return clock.sleep(ms, signal);
    },
  };
  const { lines } = await read(kubelet, { follow: true }, signal, { clock: slow });
  assert.deepEqual(lines, [...WHOLE, "four", "five"]);
});

test("a clock that is set back loses nothing", async (kubelet, signal) => {
  const entries = [line("a", 100 * SECOND), line("b", 101 * SECOND), line("c", 2 * SECOND), line("d", 3 * SECOND)];
  const attempt = kubelet.attempt(entries.slice(0, 3), "running");
  const first = await read(kubelet, { follow: false }, signal);
  attempt.write(entries[3]!, line("e", 4 * SECOND));
  attempt.end();
  kubelet.isOver = true;
  const { lines } = await read(kubelet, { follow: false, cursor: first.cursor }, signal);
  assert.deepEqual(lines, ["d", "e"]);
});

test("a denied log says so at once", async (kubelet, signal) => {
  kubelet.attempt(three());
  const message = 'pods "run-0" is forbidden: User "x" cannot get resource "pods/log"';
  kubelet.tricks.push({ does: "refuse", code: 403, message });
  await assert.rejects(read(kubelet, { follow: true }, signal), (error) => isFault(error, "denied"));
});

test("a log that stays out of reach is a failure, not an end", async (kubelet, signal) => {
  kubelet.attempt(three());
  kubelet.isOver = true;
  kubelet.tricks.push(...Array.from({ length: 30 }, () => ({ does: "refuse", code: 500, message: "down" } as const)));
  await assert.rejects(read(kubelet, { follow: true }, signal), (error) => isFault(error, "unavailable"));
});

test("long lines are cut, bytes that are no text are marked, pieces stay small", async (kubelet, signal) => {
  const part = "x".repeat(16 * 1024);
  const long = Array.from({ length: 40 }, (_, at) => line(part, 10 + at, true));
  const many = Array.from({ length: 20_000 }, (_, at) => line(`line ${at} ${"é".repeat(at % 50)}`, 100 + at));
  kubelet.attempt([
    line(new Uint8Array([0x61, 0xff, 0xfe, 0x62]), 1),
    ...long,
    line("end", 60),
    line("ö".repeat(140_000), 61),
    ...many,
  ]);
  kubelet.isOver = true;
  const pieces: LogPiece[] = [];
  for await (const piece of readRunLog(source(kubelet), { follow: true }, signal)) pieces.push(piece);
  const { lines } = summary(pieces);
  const [bytes, cut, umlauts] = lines;
  assert.equal(bytes, "a\uFFFD\uFFFDb");
  for (const line of [cut, umlauts]) {
    assert.match(line ?? "", /^(x+|ö+) \[cut: the line was longer than 256 KiB\]$/);
    assert(size(line ?? "") <= 256 * 1024 && size(line ?? "") > 255 * 1024, String(size(line ?? "")));
  }
  assert.deepEqual(lines.slice(3), many.map(({ text }) => text));
  for (const piece of pieces) {
    if (piece.kind !== "lines" || piece.lines.length === 1) continue;
    assert(piece.lines.reduce((sum, line) => sum + size(line) + 1, 0) <= 64 * 1024);
  }
});

test("a reader that stops reading leaves nothing open, and an abort is the reader's own", async (kubelet) => {
  kubelet.attempt(three(), "running");
  const own = new AbortController();
  for await (const piece of readRunLog(source(kubelet), { follow: true }, own.signal)) {
    assert.equal(piece.kind, "lines");
    break;
  }
  const reason = new Error("enough");
  const reading = following(kubelet, own.signal);
  await until("its lines", () => reading.lines.length === 3);
  own.abort(reason);
  await assert.rejects(reading.finished, (error) => error === reason);
});

const size = (text: string) => new TextEncoder().encode(text).length;
