/**
 * Log throughput: lines of an engine in memory through redaction, chunks and JSON over a real WebSocket on loopback to
 * a reader that answers at once. Beside it the same bytes over a bare WebSocket, with as many under way.
 */
import { systemClock } from "../adapters/clock.ts";
import { createMemoryEngine } from "../adapters/engine/memory.ts";
import type { Engine, EngineLogs, LogPiece } from "../mod/ports.ts";
import type { Run } from "../mod/run.ts";
import { LIMITS } from "../mod/protocol/methods.ts";
import { say, verdict } from "./figures.ts";
import type { Told } from "./log_reader.ts";
import { runRunner } from "./runner.ts";

const MEGABYTES = 400;
const ROUNDS = 3;
const GOAL = 50;
/** Flat: what the last round may need more than the first. */
const FLAT_MIB = 10;

/** About 120 bytes a line; one in two hundred holds a credential. */
const LINES = Array.from({ length: 20_000 }, (_, at) => {
  const time = `2026-03-01 12:${String(at % 60).padStart(2, "0")}:${String(at % 59).padStart(2, "0")},${at % 1000}`;
  if (at % 200 === 7) {
    return `${time} DEBUG metadata.connections - connecting to postgresql://shop:hunter${at}@db:5432/shop`;
  }
  return `${time} INFO  metadata.ingestion.source - table shop.public.orders_${at}: 42 columns, ${
    at % 997
  } rows sampled, ok`;
});
const PIECES = piecesOf(LINES);
const PIECES_BYTES = PIECES.reduce((sum, lines) => sum + lines.join("\n").length + 1, 0);
const REPEATS = Math.ceil(MEGABYTES * 1e6 / PIECES_BYTES);

/** Prints the table. */
export async function bench(): Promise<void> {
  const reader = new Worker(new URL("./log_reader.ts", import.meta.url), { type: "module" });
  const { port } = await next(reader, "listening");
  const url = `ws://127.0.0.1:${port}`;
  const bare: number[] = [], ours: number[] = [], rss: number[] = [];
  try {
    for (let round = 0; round <= ROUNDS; round++) {
      const rates = [await bareRate(url), await ourRate(url, reader)] as const;
      // The first round warms up.
      if (round === 0) continue;
      bare.push(rates[0]);
      ours.push(rates[1]);
      rss.push(Deno.memoryUsage().rss / 2 ** 20);
    }
  } finally {
    reader.terminate();
  }
  const [bareRateMb, ourRateMb] = [median(bare), median(ours)];
  const [first = NaN, last = NaN] = [rss[0], rss.at(-1)];
  say("", "bare socket", "this runner", "ratio", "goal");
  say(
    "log with redaction, MB/s",
    ...[bareRateMb.toFixed(0), ourRateMb.toFixed(0), (ourRateMb / bareRateMb).toFixed(2)],
    verdict(ourRateMb >= GOAL, `≥ ${GOAL} MB/s`),
  );
  say(
    `RSS after ${MEGABYTES} and ${MEGABYTES * ROUNDS} MB, MiB`,
    ...["", `${first.toFixed(0)}, ${last.toFixed(0)}`, ""],
    verdict(last - first <= FLAT_MIB, "flat"),
  );
}

async function ourRate(url: string, reader: Worker): Promise<number> {
  const inner = createMemoryEngine({ clock: systemClock });
  let began = NaN;
  const engine: Engine & EngineLogs = {
    ...inner,
    find: (runId) => Promise.resolve({ ...RUN, runId }),
    logs: () => {
      began = performance.now();
      return log();
    },
  };
  const stopping = new AbortController();
  const ended = next(reader, "end");
  const running = runRunner(url, engine, stopping.signal);
  const { bytes } = await ended;
  const seconds = (performance.now() - began) / 1000;
  stopping.abort();
  await running;
  await inner.close();
  return bytes / 1e6 / seconds;
}

async function* log(): AsyncGenerator<LogPiece> {
  let cursor = 0;
  for (let round = 0; round < REPEATS; round++) {
    for (const lines of PIECES) yield await Promise.resolve({ kind: "lines", lines, cursor: String(++cursor) });
  }
  yield { kind: "end", reason: "finished", cursor: String(cursor) };
}

async function bareRate(url: string): Promise<number> {
  const socket = new WebSocket(url);
  await new Promise((resolve) => socket.onopen = resolve);
  const texts = PIECES.map((lines) => lines.join("\n"));
  const began = performance.now();
  const done = Promise.withResolvers<void>();
  let underWay = 0, sent = 0, bytes = 0;
  const all = texts.length * REPEATS;
  const fill = () => {
    while (sent < all && underWay < LIMITS.logWindowBytes) {
      const text = texts[sent++ % texts.length] ?? "";
      underWay += text.length;
      bytes += text.length;
      socket.send(text);
    }
    if (sent === all && underWay === 0) done.resolve();
  };
  socket.onmessage = ({ data }) => {
    underWay -= Number(data);
    fill();
  };
  fill();
  await done.promise;
  const seconds = (performance.now() - began) / 1000;
  const closed = new Promise((resolve) => socket.onclose = resolve);
  socket.close();
  await closed;
  return bytes / 1e6 / seconds;
}

/** Pieces as an engine gives them: as many whole lines as fit a chunk. */
function piecesOf(lines: string[]): string[][] {
  const pieces: string[][] = [[]];
  let size = 0;
  for (const line of lines) {
    if (size + line.length + 1 > LIMITS.logChunkBytes) {
      pieces.push([]);
      size = 0;
    }
    pieces.at(-1)?.push(line);
    size += line.length + 1;
  }
  return pieces;
}

const RUN: Omit<Run, "runId"> = {
  ...{ pipelineId: "bench", revision: 1, times: {} },
  kind: "pipeline",
  origin: "command",
  state: "success",
};

function next<K extends Told["kind"]>(reader: Worker, kind: K): Promise<Extract<Told, { kind: K }>> {
  return new Promise((resolve) => {
    const heard = ({ data }: MessageEvent<Extract<Told, { kind: K }>>) => {
      if (data.kind !== kind) return;
      reader.removeEventListener("message", heard);
      resolve(data);
    };
    reader.addEventListener("message", heard);
  });
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;
}

if (import.meta.main) await bench();
