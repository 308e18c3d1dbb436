/** The bytes of an answer as they come. A reader that is slow makes the server wait; silence is noticed only while we wait. */
import { createPatience } from "../../../cluster/patience.ts";
import { Silence } from "../../../cluster/lines.ts";

/**
 * Opens an answer and reads it to its end. Rejects with the signal's reason, with `Silence`, or with what went wrong;
 * opening has limits of its own. However it ends, the answer is let go and nothing listens on the signal any more.
 */
export async function* bytesOf(
  open: (own: AbortSignal) => Promise<ReadableStream<Uint8Array>>,
  silenceMs: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void> {
  signal.throwIfAborted();
  const own = new AbortController();
  const patience = createPatience(signal, silenceMs);
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  const stop = () => {
    own.abort(patience.signal.reason);
    // A cancelled reader answers at once, even where the link is half-open.
    reader?.cancel().catch(() => {});
  };
  patience.signal.addEventListener("abort", stop, { once: true });
  try {
    patience.pause();
    reader = (await open(own.signal)).getReader();
    for (;;) {
      signal.throwIfAborted();
      patience.begin();
      const { value, done } = await reader.read();
      patience.pause();
      signal.throwIfAborted();
      if (patience.lost) throw new Silence(`nothing heard for ${silenceMs / 1000} s`);
      if (done) return;
      yield value;
    }
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    patience.end();
    patience.signal.removeEventListener("abort", stop);
    await reader?.cancel().catch(() => {});
    own.abort();
  }
}
