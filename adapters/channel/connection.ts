/**
 * The port's Connection over a WebSocket, for both ends: the one that the runner dialled and the one that the control
 * plane accepted. What the platform lacks is made good here: a close that ends even where the peer is silent, and a
 * limit to what waits for a peer that takes nothing.
 */
import { Fault, reasonOf } from "../../mod/fault.ts";
import type { Clock, Closed, Connection } from "../../mod/ports.ts";
import { CLOSES } from "../../mod/protocol/closes.ts";

/** What a link that was given up is told as: RFC 6455's "abnormal closure", which is never sent. */
const ABANDONED = 1006;
/** How long a peer may take to answer our close. */
const CLOSE_MS = 3000;
/** More than all log windows and answers of a healthy link. */
const MOST_BUFFERED_BYTES = 64 * 1024 * 1024;
/** A close frame has room for so much reason, in UTF-8 (RFC 6455, 5.5). */
const REASON_BYTES = 123;

/** How the connection gives up. */
export interface ConnectionOptions {
  /** The close code that an abandoned peer gets, should it still hear; none where it is left out. */
  abandonCode?: number;
}

/** Wraps a socket at once, before its first event. What is sent before it is open throws `unavailable`. */
export function createConnection(socket: WebSocket, clock: Clock, options: ConnectionOptions = {}): Connection {
  const queue: string[] = [];
  let wake = Promise.withResolvers<void>();
  let isOver = false;
  // What we closed with says more than what the peer echoes.
  let ours: Closed | undefined;
  const { promise: closed, resolve } = Promise.withResolvers<Closed>();
  const over = new AbortController();

  socket.binaryType = "arraybuffer";
  socket.onmessage = ({ data }) => {
    if (isOver) return;
    if (typeof data !== "string") return close(CLOSES.malformed.code, "binary frames are not used");
    queue.push(data);
    wake.resolve();
  };
  socket.onclose = ({ code, reason }) => end({ code, reason });
  // An error is followed by a close, which says all there is.
  socket.onerror = (event) => event.preventDefault();

  return {
    send(text: string): void {
      if (isOver || ours !== undefined || socket.readyState !== WebSocket.OPEN) {
        throw new Fault("unavailable", "Cannot send a frame: the link is closed");
      }
      // A peer that takes nothing would grow this without end, and its own frames would still look like life.
      if (socket.bufferedAmount > MOST_BUFFERED_BYTES) {
        abandon(`${MOST_BUFFERED_BYTES} bytes wait to be sent`);
        throw new Fault("unavailable", "Cannot send a frame: the peer takes none");
      }
      socket.send(text);
    },
    get buffered(): number {
      return isOver ? 0 : socket.bufferedAmount;
    },
    frames: { [Symbol.asyncIterator]: frames },
    closed,
    close,
    abandon,
  };

  function close(code: number, reason: string): void {
    if (isOver || ours !== undefined) return;
    ours = { code, reason };
    wake.resolve();
    try {
      socket.close(code, fitted(reason));
    } catch (error) {
      return end({ code: ABANDONED, reason: reasonOf(error) });
    }
    clock.sleep(CLOSE_MS, over.signal).then(() => end({ code, reason }), () => {});
  }

  function abandon(reason: string): void {
    if (isOver) return;
    ours ??= { code: ABANDONED, reason };
    end(ours);
    try {
      if (options.abandonCode === undefined) socket.close();
      else socket.close(options.abandonCode, fitted(reason));
    } catch {
      // It was never open, or is closing: there is nothing more to do for it.
    }
  }

  function end(how: Closed): void {
    if (isOver) return;
    isOver = true;
    over.abort(new Fault("unavailable", "Cannot wait for the close: it came"));
    resolve(ours ?? how);
    wake.resolve();
  }

  async function* frames(): AsyncGenerator<string> {
    for (;;) {
      // Taken in whole batches: shifting a long array one by one costs its length each time.
      for (const text of queue.splice(0)) {
        // After a close of ours nothing more is taken in.
        if (ours !== undefined) return;
        yield text;
      }
      if (queue.length > 0) continue;
      if (isOver || ours !== undefined) return;
      wake = Promise.withResolvers<void>();
      await wake.promise;
    }
  }
}

function fitted(reason: string): string {
  let text = reason.slice(0, REASON_BYTES);
  while (new TextEncoder().encode(text).length > REASON_BYTES) text = text.slice(0, -1);
  return text;
}
