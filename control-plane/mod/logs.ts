/**
 * Log relay: each reader has a stream of its own from the runner. The answer to a chunk, and with it the right to send
 * more, is given only once the reader has taken it, so a slow reader costs one window on either side.
 */
import { Fault, isFault } from "../../mod/fault.ts";
import { LIMITS, type Params, type Result, type ToControlPlane } from "../../mod/protocol/methods.ts";
import { logBytes } from "../../mod/protocol/log_size.ts";
import type { Core } from "./core.ts";
import { ended } from "./run_rules.ts";
import type { Runners, Session } from "./runners.ts";
import type { LogEvent } from "./views.ts";

type Chunk = Params<ToControlPlane, "log.chunk">;
type Credit = Result<ToControlPlane, "log.chunk">;

/** Readers on one side, runners on the other. */
export interface Logs {
  /**
   * A run's log. With `follow` it goes on until the log's end, across lost links. Faults: `unavailable` (no runner to
   * read it, without `follow`), and what the runner answers.
   */
  read(run: { runId: string; agentId: string }, options: ReadOptions): AsyncIterable<LogEvent>;
  /** A chunk from a runner; the answer waits for the reader. Faults: `not_found` for a stream that nobody reads. */
  chunk(agentId: string, chunk: Chunk): Promise<Credit>;
}

/** From where a log is read, and how far. */
export interface ReadOptions {
  follow: boolean;
  cursor?: string;
  signal: AbortSignal;
}

/** One reader's stream on one link. */
interface Stream {
  agentId: string;
  queue: Piece[];
  held: number;
  /** Chunks whose answer waits. */
  unanswered: ((credit: Credit) => void)[];
  owed: number;
  wake: () => void;
}

/** `held` is what it takes up here, `bytes` what the runner counts for it. */
interface Piece {
  event: LogEvent;
  cursor: string;
  held: number;
  bytes: number;
}

/** A gap or an end holds no line, and is not free either. */
const PIECE_BYTES = 256;
/** Short pieces are put together up to this: a line each would cost more than its text. */
const JOINED_BYTES = 4_096;
/** More unanswered chunks than this would use up what a link may have in hand: the oldest is answered without credit. */
const UNANSWERED = 4;
const RETRY_MS = 1_000;
const CLOSE_MS = 5_000;

/** Makes the relay. */
export function createLogs({ storage, clock, random, signal: program }: Core, runners: Runners): Logs {
  const streams = new Map<string, Stream>();
  return { read, chunk };

  function chunk(agentId: string, { streamId, cursor, lines = [], gap, end }: Chunk): Promise<Credit> {
    const stream = streams.get(streamId);
    if (stream === undefined || stream.agentId !== agentId) {
      throw new Fault("not_found", `Cannot take the chunk: nobody reads the stream ${streamId}`);
    }
    const bytes = logBytes(lines);
    const held = bytes + PIECE_BYTES * Number(gap !== undefined) + PIECE_BYTES * Number(end !== undefined);
    if (stream.held + held > LIMITS.logWindowBytes + LIMITS.logLineBytes * 2) {
      throw new Fault("denied", "Cannot take the chunk: it goes beyond the window", { rule: "window" });
    }
    stream.held += held;
    const other = { cursor, held: PIECE_BYTES, bytes: 0 };
    if (lines.length > 0) addLines(stream, lines, cursor, bytes);
    if (gap !== undefined) stream.queue.push({ event: { event: "gap", data: gap }, ...other });
    if (end !== undefined) stream.queue.push({ event: { event: "end", data: end }, ...other });
    stream.wake();
    return new Promise((resolve) => {
      stream.unanswered.push(resolve);
      while (stream.unanswered.length > UNANSWERED) stream.unanswered.shift()?.({ credit: 0 });
      if (stream.queue.length === 0) settle(stream);
    });
  }

  function addLines(stream: Stream, lines: string[], cursor: string, bytes: number): void {
    const last = stream.queue.at(-1);
    if (last?.event.event !== "lines" || last.bytes + bytes > JOINED_BYTES) {
      stream.queue.push({ event: { event: "lines", data: { cursor, lines } }, cursor, held: bytes, bytes });
      return;
    }
    // In place: a copy each time would cost the square of what is joined.
    last.event.data.lines.push(...lines);
    last.event.data.cursor = last.cursor = cursor;
    last.held = last.bytes += bytes;
  }

  /** The reader has taken a piece. What is owed goes with the oldest answer; one is kept back for what is still held. */
  function taken(stream: Stream, { held, bytes }: Piece): void {
    stream.held -= held;
    stream.owed += bytes;
    if (stream.queue.length === 0) return settle(stream);
    if (stream.unanswered.length > 1) stream.unanswered.shift()?.({ credit: release(stream) });
  }

  function settle(stream: Stream): void {
    for (const answer of stream.unanswered.splice(0)) answer({ credit: release(stream) });
  }

  function release(stream: Stream): number {
    const { owed } = stream;
    stream.owed = 0;
    return owed;
  }

  async function* read(run: { runId: string; agentId: string }, options: ReadOptions): AsyncGenerator<LogEvent> {
    const { follow, signal } = options;
    let cursor = options.cursor;
    while (!signal.aborted) {
      const session = await sessionFor(run.agentId, follow, signal);
      const streamId = random.uuid();
      const stream: Stream = { agentId: run.agentId, queue: [], held: 0, unanswered: [], owed: 0, wake: () => {} };
      streams.set(streamId, stream);
      try {
        const opened = await open(session, streamId, run.runId, cursor, follow, signal);
        if (opened !== "opened") {
          if (opened !== "again") return yield opened;
          await clock.sleep(RETRY_MS, signal);
          continue;
        }
        for await (const piece of pieces(stream, session, signal)) {
          yield piece.event;
          cursor = piece.cursor;
          taken(stream, piece);
          if (piece.event.event === "end") return;
        }
        if (!follow) throw new Fault("unavailable", "Cannot read the log on: the runner's link was lost");
      } finally {
        streams.delete(streamId);
        settle(stream);
        session.peer.request("log.close", { streamId }, { signal: program, timeoutMs: CLOSE_MS }).catch(() => {});
      }
    }
  }

  async function sessionFor(agentId: string, follow: boolean, signal: AbortSignal): Promise<Session> {
    const session = runners.active(agentId);
    if (session !== undefined) return session;
    if (follow) return await runners.awaitActive(agentId, signal);
    throw new Fault("unavailable", `Cannot read the log: the runner ${agentId} is Inactive, and it holds the log`);
  }

  /** `again` where it is worth asking later; an `end` where there is no log. */
  async function open(
    session: Session,
    streamId: string,
    runId: string,
    cursor: string | undefined,
    follow: boolean,
    signal: AbortSignal,
  ): Promise<"opened" | "again" | LogEvent> {
    const params = { streamId, runId, follow, cursor, window: LIMITS.logWindowBytes };
    try {
      await session.peer.request("log.open", params, { signal });
      return "opened";
    } catch (error) {
      if (signal.aborted || !isFault(error)) throw error;
      const isPassing = error.code === "unavailable" || error.code === "busy";
      if (follow && isPassing) return "again";
      const record = await storage.run(runId);
      // A run that was only just commanded: the runner may not know it yet.
      if (follow && error.code === "not_found" && record !== undefined && !ended(record)) return "again";
      if (error.code === "not_found") return { event: "end", data: { reason: "gone", message: error.message } };
      if (isPassing) throw error;
      return { event: "end", data: { reason: "failed", message: error.message } };
    }
  }

  /** What arrives, until the link is lost; what had arrived by then is handed out first. */
  async function* pieces(stream: Stream, session: Session, signal: AbortSignal) {
    let isLost = false;
    const wake = () => stream.wake();
    void session.connection.closed.then(() => (isLost = true, wake()));
    signal.addEventListener("abort", wake, { once: true });
    try {
      while (!signal.aborted) {
        const piece = stream.queue.shift();
        if (piece !== undefined) yield piece;
        else if (isLost) return;
        else await new Promise<void>((resolve) => (stream.wake = resolve, (isLost || signal.aborted) && resolve()));
      }
    } finally {
      signal.removeEventListener("abort", wake);
    }
  }
}
