/** The port's Connection over a server's WebSocket. */
import { Fault } from "../../../mod/fault.ts";
import type { Closed, Connection } from "../../../mod/ports.ts";
import { CLOSES } from "../../../mod/protocol/closes.ts";

/** A peer that does not answer a close is not waited for longer. */
const CLOSE_MS = 3_000;
/** A close reason has at most 123 bytes of UTF-8 (RFC 6455, 5.5). */
const REASON_BYTES = 123;

/** Wraps an upgraded socket at once, before its first event. Resolves when it is open; rejects if it never opens. */
export function connectionOf(socket: WebSocket): Promise<Connection> {
  const closed = Promise.withResolvers<Closed>();
  const opened = Promise.withResolvers<Connection>();
  const waiting: string[] = [];
  let wake = () => {};
  let isOver = false, timer: ReturnType<typeof setTimeout> | undefined;
  // What we closed with says more than what the peer echoes, or than 1006.
  let ours: Closed | undefined;

  socket.binaryType = "arraybuffer";
  socket.onopen = () => opened.resolve(connection);
  socket.onmessage = ({ data }) => {
    if (isOver) return;
    if (typeof data !== "string") return close(CLOSES.malformed.code, "a binary frame");
    waiting.push(data);
    wake();
  };
  socket.onclose = ({ code, reason }) => end({ code, reason });
  socket.onerror = (event) => {
    const reason = event instanceof ErrorEvent ? event.message : "the socket failed";
    opened.reject(new Fault("unavailable", `Cannot open the connection: ${reason}`));
    end({ code: 1006, reason });
  };

  const connection: Connection = {
    send(text) {
      if (isOver || ours !== undefined || socket.readyState !== WebSocket.OPEN) {
        throw new Fault("unavailable", "Cannot send: the connection is closed");
      }
      socket.send(text);
    },
    get buffered() {
      return socket.bufferedAmount;
    },
    frames: { [Symbol.asyncIterator]: frames },
    closed: closed.promise,
    close,
    abandon(reason) {
      if (isOver) return;
      ours ??= { code: 1006, reason };
      shut(CLOSES.silent.code, reason);
      end(ours);
    },
  };
  return opened.promise;

  function close(code: number, reason: string): void {
    if (isOver || ours !== undefined) return;
    ours = { code, reason };
    shut(code, reason);
    timer = setTimeout(() => end({ code, reason }), CLOSE_MS);
  }

  function shut(code: number, reason: string): void {
    try {
      socket.close(code, shortened(reason));
    } catch {
      // It was not open any more: there is nobody to tell.
    }
  }

  function end(how: Closed): void {
    if (isOver) return;
    isOver = true;
    clearTimeout(timer);
    closed.resolve(ours ?? how);
    wake();
  }

  async function* frames(): AsyncGenerator<string> {
    for (;;) {
      // Whole batches: taking a long array apart from its front costs its length each time.
      for (const text of waiting.splice(0)) {
        // After a close of ours nothing more is taken in.
        if (ours !== undefined) return;
        yield text;
      }
      if (waiting.length > 0) continue;
      if (isOver || ours !== undefined) return;
      await new Promise<void>((resolve) => wake = resolve);
    }
  }
}

function shortened(reason: string): string {
  let text = reason;
  while (new TextEncoder().encode(text).length > REASON_BYTES) text = text.slice(0, -1);
  return text;
}
