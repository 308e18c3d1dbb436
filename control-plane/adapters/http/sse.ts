/** Server-Sent Events (HTML Living Standard, 9.2) at the reader's pace: nothing is fetched before it is wanted. */

export interface ServerEvent {
  event: string;
  data: unknown;
  /** Comes back as Last-Event-ID when the browser connects again. */
  id?: string;
}

/** A line that proxies take for life. */
const KEEP_ALIVE_MS = 15_000;

/** The response that tells these events. `gone` is aborted when the reader leaves or the stream ends; `events` is to end by it. */
export function eventStream(events: AsyncIterable<ServerEvent>, gone: AbortController): Response {
  const body = pulled(frames(events), gone);
  return new Response(body, {
    headers: { "content-type": "text/event-stream", "cache-control": "no-store", "x-accel-buffering": "no" },
  });
}

/** A text that is made piece by piece, as it is read. */
export function textStream(pieces: AsyncIterable<string>, gone: AbortController): Response {
  return new Response(pulled(pieces[Symbol.asyncIterator](), gone), {
    headers: { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store" },
  });
}

/** The high-water mark of 0 makes each pull the reader's own: what is not read is not made. */
function pulled(source: AsyncIterator<string>, gone: AbortController): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  return new ReadableStream({
    async pull(controller) {
      try {
        const { done, value } = await source.next();
        if (!done) return controller.enqueue(encoder.encode(value));
        controller.close();
      } catch (error) {
        // The status line is long gone: all that is left is to cut the answer short.
        if (gone.signal.aborted) controller.close();
        else controller.error(error);
      }
      gone.abort(new Error("the stream has ended"));
    },
    cancel() {
      gone.abort(new Error("the reader left"));
      void source.return?.().catch(() => {});
    },
  }, { highWaterMark: 0 });
}

function frames(events: AsyncIterable<ServerEvent>): AsyncIterator<string> {
  const source = events[Symbol.asyncIterator]();
  let next: Promise<IteratorResult<ServerEvent>> | undefined;
  let isOpen = false;
  return {
    async next() {
      // The first bytes go at once, so that the reader knows that it is heard.
      if (!isOpen) return isOpen = true, { done: false, value: ": open\n\n" };
      next ??= source.next();
      let timer: ReturnType<typeof setTimeout> | undefined;
      const quiet = new Promise<undefined>((resolve) => timer = setTimeout(resolve, KEEP_ALIVE_MS));
      try {
        const result = await Promise.race([next, quiet]);
        if (result === undefined) return { done: false, value: ": still here\n\n" };
        next = undefined;
        return result.done ? { done: true, value: undefined } : { done: false, value: frame(result.value) };
      } finally {
        clearTimeout(timer);
      }
    },
    async return() {
      await source.return?.();
      return { done: true, value: undefined };
    },
  };
}

function frame({ event, data, id }: ServerEvent): string {
  // A cursor with a line break would end the field; such a one is not told.
  const idLine = id === undefined || /[\r\n\0]/.test(id) ? "" : `id: ${id}\n`;
  return `${idLine}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}
