/** The changes of two engines as one sequence. */
import type { Engine, EngineEvent } from "../../../mod/ports.ts";

/**
 * What each of them has, then `listed` once both have said so, then what changes. The second one's part ends when `over`
 * resolves; the first one's never does. Rejects as soon as either does.
 */
export async function* merged(
  [first, second]: readonly [Pick<Engine, "runs">, Pick<Engine, "runs">],
  over: Promise<void>,
  signal: AbortSignal,
): AsyncGenerator<EngineEvent> {
  const ended = new AbortController();
  const under = AbortSignal.any([signal, ended.signal]);
  const secondOver = new AbortController();
  void over.then(() => secondOver.abort());
  const queue: EngineEvent[] = [];
  let wake = Promise.withResolvers<void>();
  let lists = 2;
  const take = (event: EngineEvent) => {
    if (event.kind !== "listed") queue.push(event);
    else if (--lists === 0) queue.push(event);
    wake.resolve();
  };
  const read = async (engine: Pick<Engine, "runs">, until: AbortSignal) => {
    let listed = false;
    try {
      for await (const event of engine.runs(until)) {
        listed ||= event.kind === "listed";
        take(event);
        // A reader who is slow must not let this grow: the engines keep only the newest view of each run.
        while (queue.length > MOST_QUEUED && !until.aborted) await wakeAfterDrain.promise;
      }
    } catch (error) {
      if (!secondOver.signal.aborted || until !== secondSignal) throw error;
      if (!listed) take({ kind: "listed" });
    }
  };
  let wakeAfterDrain = Promise.withResolvers<void>();
  const secondSignal = AbortSignal.any([under, secondOver.signal]);
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => {});
  const reading = [read(first, under), read(second, secondSignal)].map((each) => each.catch(failed.reject));
  try {
    for (;;) {
      signal.throwIfAborted();
      const event = queue.shift();
      if (event !== undefined) {
        yield event;
        continue;
      }
      wakeAfterDrain.resolve();
      wakeAfterDrain = Promise.withResolvers();
      await Promise.race([wake.promise, failed.promise]);
      wake = Promise.withResolvers();
    }
  } finally {
    ended.abort(new Error("nobody reads on"));
    wakeAfterDrain.resolve();
    await Promise.all(reading);
  }
}

const MOST_QUEUED = 1000;
