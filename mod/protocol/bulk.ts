/** Turns for bulk frames: they go one after the other, and only while little is under way, so that urgent ones go first. */
import type { Clock, Connection } from "../ports.ts";

/** Bulk frames wait while more than this is under way: what is urgent never queues behind more. */
const BACKLOG_BYTES = 256 * 1024;
/** A fast link drains within one turn of the event loop; a slow one is not to be asked all the time. */
const LONGEST_POLL_MS = 20;

/** Waits until a bulk frame may be sent; the frame is to be sent at once, and then the turn given on by the result. */
export type BulkTurn = (signal: AbortSignal) => Promise<() => void>;

/** Makes the turns of one connection; `ended` aborts when it is lost. */
export function createBulkTurns(
  { connection, clock, ended }: { connection: Connection; clock: Clock; ended: AbortSignal },
): BulkTurn {
  let tail: Promise<void> = Promise.resolve();
  return async (signal) => {
    // In a queue: else a later frame could overtake an earlier one that still waits.
    const before = tail;
    const { promise, resolve: release } = Promise.withResolvers<void>();
    tail = promise;
    try {
      await before;
      if (connection.buffered > BACKLOG_BYTES) await drained(AbortSignal.any([signal, ended]));
      signal.throwIfAborted();
      ended.throwIfAborted();
      return release;
    } catch (error) {
      release();
      throw error;
    }
  };

  async function drained(signal: AbortSignal): Promise<void> {
    for (let ms = 0; connection.buffered > BACKLOG_BYTES; ms = Math.min(2 * ms + 1, LONGEST_POLL_MS)) {
      await clock.sleep(ms, signal);
    }
  }
}
