/**
 * Log streams: a run's log, read from the engine at the pace of whoever reads it at the other end. The reader grants a
 * window of bytes; each answer to a chunk gives some back. What is not granted is not read: memory stays flat.
 */
import type { Redactor } from "../redact.ts";
import { asFault, Fault } from "../fault.ts";
import type { EngineLogs, Log, LogPiece } from "../ports.ts";
import { lineBytes } from "../protocol/log_size.ts";
import { LIMITS, type Params, type Result, type ToControlPlane, type ToRunner } from "../protocol/methods.ts";

type Chunk = Params<ToControlPlane, "log.chunk">;
/** Sends one chunk; resolves with the credit that its reader gives back. */
export type SendChunk = (chunk: Chunk, signal: AbortSignal) => Promise<Result<ToControlPlane, "log.chunk">>;

/** The open streams of one runner. */
export interface LogStreams {
  /** Starts a stream that goes on until it ends, is closed, or the session's signal aborts. */
  open(runId: string, request: Params<ToRunner, "log.open">, send: SendChunk, session: AbortSignal): void;
  close(streamId: string): void;
  size(): number;
}

/** What streams read from, and how many there may be. */
export interface LogStreamsOptions {
  engine: EngineLogs;
  /** Takes credentials out of lines before they leave the cluster; made anew for each stream, whose lines it remembers. */
  createRedactor: () => Pick<Redactor, "lines">;
  log: Log;
  maxStreams?: number;
}

/** Stands at the end of a line that was cut. */
export const CUT_MARK = " … [line cut]";

/** No streams yet. */
export function createLogStreams({ engine, createRedactor, log, maxStreams = 64 }: LogStreamsOptions): LogStreams {
  const streams = new Map<string, AbortController>();
  return {
    open(runId, request, send, session) {
      const { streamId } = request;
      if (streams.has(streamId)) {
        throw new Fault("conflict", `Cannot open the log stream ${streamId}: it is open`, { path: "streamId" });
      }
      if (streams.size >= maxStreams) {
        throw new Fault("busy", `Cannot open a log stream: ${maxStreams} are open`, { retryAfterSeconds: 5 });
      }
      const own = new AbortController();
      streams.set(streamId, own);
      const signal = AbortSignal.any([own.signal, session]);
      void pump(runId, request, send, signal)
        .catch((error) => signal.aborted || log("warn", "log.stream_failed", { runId, streamId, error }))
        .finally(() => streams.delete(streamId));
    },
    close(streamId) {
      streams.get(streamId)?.abort(new Fault("unavailable", "Cannot go on with the log stream: its reader closed it"));
    },
    size: () => streams.size,
  };

  async function pump(
    runId: string,
    { streamId, follow, cursor, window }: Params<ToRunner, "log.open">,
    send: SendChunk,
    signal: AbortSignal,
  ): Promise<void> {
    const failed = new AbortController();
    const under = AbortSignal.any([signal, failed.signal]);
    const credit = createCredit(window, under);
    const redact = createRedactor().lines;
    let newest = cursor ?? "";
    const put = async (chunk: Omit<Chunk, "streamId">, bytes: number) => {
      await credit.take(bytes);
      failed.signal.throwIfAborted();
      newest = chunk.cursor;
      // Not awaited: the window, not the round trip, sets the pace. Frames keep their order on the one link.
      send({ streamId, ...chunk }, under).then(
        ({ credit: given }) => credit.give(given),
        (error) => failed.abort(error),
      );
    };
    try {
      for await (const piece of engine.logs(runId, { follow, ...cursor === undefined ? {} : { cursor } }, under)) {
        for (const { chunk, bytes } of chunksOf(piece, newest, redact)) await put(chunk, bytes);
      }
    } catch (error) {
      // A reader that refuses a chunk wants no more, not even to hear that it ended.
      if (under.aborted) throw error;
      const { message } = asFault(error, `read the log of run ${runId}`);
      await put({ cursor: newest, end: { reason: "failed", message } }, 0);
    }
  }
}

/**
 * A piece of log as chunks of at most 64 KiB; a longer line goes alone, cut at 256 KiB. A cursor stands only after a
 * whole piece, so the earlier parts of a divided one carry the cursor before it: resuming there repeats, never loses.
 */
export function* chunksOf(
  piece: LogPiece,
  before: string,
  redact: (lines: string[]) => string[],
): Generator<{ chunk: Omit<Chunk, "streamId">; bytes: number }> {
  switch (piece.kind) {
    case "gap":
      yield { chunk: { cursor: piece.to, gap: { from: piece.from, to: piece.to } }, bytes: 0 };
      return;
    case "end": {
      const { cursor, reason, message } = piece;
      yield { chunk: { cursor, end: { reason, ...message === undefined ? {} : { message } } }, bytes: 0 };
      return;
    }
    case "lines": {
      let lines: string[] = [], bytes = 0;
      for (const line of redact(piece.lines.map(cut))) {
        const size = lineBytes(line);
        if (lines.length > 0 && bytes + size > LIMITS.logChunkBytes) {
          yield { chunk: { cursor: before, lines }, bytes };
          lines = [];
          bytes = 0;
        }
        lines.push(line);
        bytes += size;
      }
      if (lines.length > 0) yield { chunk: { cursor: piece.cursor, lines }, bytes };
    }
  }
}

function cut(line: string): string {
  if (line.length * 3 <= LIMITS.logLineBytes) return line;
  const bytes = new TextEncoder().encode(line);
  if (bytes.length <= LIMITS.logLineBytes) return line;
  // A character that the cut divides becomes U+FFFD, as everywhere in UTF-8 decoding.
  return new TextDecoder().decode(bytes.subarray(0, LIMITS.logLineBytes)) + CUT_MARK;
}

/** Bytes that may be under way: `take` waits until some are there (a single larger chunk goes when all are back). */
function createCredit(
  window: number,
  signal: AbortSignal,
): { take(bytes: number): Promise<void>; give(bytes: number): void } {
  let left = window;
  let waiter = Promise.withResolvers<void>();
  signal.addEventListener("abort", () => waiter.resolve(), { once: true });
  return {
    async take(bytes) {
      while (left < Math.min(bytes, window)) {
        signal.throwIfAborted();
        await waiter.promise;
        if (!signal.aborted) waiter = Promise.withResolvers<void>();
      }
      signal.throwIfAborted();
      left -= bytes;
    },
    give(bytes) {
      left = Math.min(window, left + bytes);
      waiter.resolve();
    },
  };
}
