/** Schedule events on their way: best effort, since the engine's last schedule time tells them again after a crash. */
import type { Clock, EngineEvent, Log } from "../ports.ts";
import { aborted } from "../waiting.ts";

export type ScheduleEvent = Extract<EngineEvent, { kind: "schedule" }>;

/** A queue of at most 1000 events; beyond that the oldest is dropped, which the log tells. */
export interface ScheduleEvents {
  put(event: ScheduleEvent): void;
  /** Delivers in order until the signal aborts; what was not acknowledged stays. */
  deliver(tell: (event: ScheduleEvent) => Promise<unknown>, signal: AbortSignal): Promise<void>;
}

const MOST = 1000;
/** Tries of one event on one session, and the pause between them. */
const TRIES = 3, RETRY_MS = 1000;

/** An empty queue. */
export function createScheduleEvents({ clock, log }: { clock: Clock; log: Log }): ScheduleEvents {
  const waiting: ScheduleEvent[] = [];
  let wake = Promise.withResolvers<void>();
  return {
    put(event) {
      if (waiting.length >= MOST) {
        const lost = waiting.shift();
        log("warn", "schedule.event_dropped", { pipelineId: lost?.pipelineId ?? "", reason: `more than ${MOST} wait` });
      }
      waiting.push(event);
      wake.resolve();
    },
    async deliver(tell, signal) {
      const over = aborted(signal);
      let tries = 0;
      while (!signal.aborted) {
        const head = waiting[0];
        if (head === undefined) {
          wake = Promise.withResolvers<void>();
          await Promise.race([wake.promise, over]);
          continue;
        }
        try {
          await tell(head);
        } catch (error) {
          // Where the link is gone it stays for the next one; an event that is refused must not hold up the rest.
          await clock.sleep(RETRY_MS, signal);
          if (++tries < TRIES && waiting[0] === head) continue;
          log("warn", "schedule.event_refused", { pipelineId: head.pipelineId, error });
        }
        tries = 0;
        // The queue may have dropped it meanwhile.
        if (waiting[0] === head) waiting.shift();
      }
    },
  };
}
