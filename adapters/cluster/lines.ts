/** The lines of a body as they come. A reader that is slow makes the server wait; silence is noticed only while we wait. */
import { createPatience } from "./patience.ts";

/** Far above what one object may weigh (etcd takes 1.5 MiB). */
const LONGEST = 32 * 1024 * 1024;

/** Nothing came for as long as something should have. */
export class Silence extends Error {
  override readonly name = "Silence";
}

/**
 * Each line without its newline, until the body ends. Rejects with the signal's reason, with `Silence`, or with what
 * broke the connection. However it ends, the body is let go.
 */
export async function* linesOf(
  body: ReadableStream<Uint8Array>,
  silenceMs: number,
  signal: AbortSignal,
): AsyncGenerator<string, void> {
  const reader = body.getReader();
  const patience = createPatience(signal, silenceMs);
  const decoder = new TextDecoder();
  // A cancelled reader answers at once, even where the link is half-open.
  const stop = () => void reader.cancel().catch(() => {});
  patience.signal.addEventListener("abort", stop, { once: true });
  let rest = "";
  try {
    for (;;) {
      signal.throwIfAborted();
      patience.begin();
      const { value, done } = await reader.read();
      patience.pause();
      signal.throwIfAborted();
      if (patience.lost) throw new Silence(`nothing heard for ${silenceMs / 1000} s`);
      if (done) return;
      const lines = (rest + decoder.decode(value, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      if (rest.length > LONGEST) throw new Error("a line is longer than any object can be");
      for (const line of lines) if (line !== "") yield line;
    }
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    patience.end();
    patience.signal.removeEventListener("abort", stop);
    await reader.cancel().catch(() => {});
  }
}
