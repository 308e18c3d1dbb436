/** Tells everybody who listens what has changed. A listener that is slow gets the newest view of each thing, once. */
import type { Change } from "./views.ts";

/** One feed for the whole control plane. */
export interface Feed {
  publish(change: Change): void;
  /** False: what is published now is heard by nobody, and need not be made. */
  readonly isHeard: boolean;
  /** Changes from now on, until the signal aborts. */
  changes(signal: AbortSignal): AsyncIterable<Change>;
}

/** Makes a feed with no listeners. */
export function createFeed(): Feed {
  const listeners = new Set<(change: Change) => void>();
  return {
    get isHeard() {
      return listeners.size > 0;
    },
    publish: (change) => listeners.forEach((listener) => listener(change)),
    changes,
  };

  async function* changes(signal: AbortSignal): AsyncGenerator<Change> {
    // One entry per thing: what waits here is bounded by what exists, however slow the reader.
    const waiting = new Map<string, Change>();
    let wake = () => {};
    const listener = (change: Change) => {
      const key = keyOf(change);
      waiting.delete(key);
      waiting.set(key, change);
      wake();
    };
    const stop = () => wake();
    listeners.add(listener);
    signal.addEventListener("abort", stop, { once: true });
    try {
      while (!signal.aborted) {
        for (const [key, change] of waiting) {
          waiting.delete(key);
          yield change;
          if (signal.aborted) return;
        }
        if (waiting.size === 0) await new Promise<void>((resolve) => signal.aborted ? resolve() : wake = resolve);
      }
    } finally {
      listeners.delete(listener);
      signal.removeEventListener("abort", stop);
    }
  }
}

function keyOf({ event, data }: Change): string {
  if ("runId" in data) return `${event} ${data.runId}`;
  return `${event} ${"pipelineId" in data ? data.pipelineId : data.agentId}`;
}
