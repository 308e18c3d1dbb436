/** Schedule events on their way: best effort, since the engine's last schedule time tells them again after a crash. */
import type { EngineEvent, Log } from "../ports.ts";

export type ScheduleEvent = Extract<EngineEvent, { kind: "schedule" }>;

export interface ScheduleEvents {
  put(event: ScheduleEvent): void;
  /** Delivers in order until the signal aborts; what was not acknowledged stays. */
  deliver(tell: (event: ScheduleEvent) => Promise<unknown>, signal: AbortSignal): Promise<void>;
}

const MOST = 1000;

export function createScheduleEvents(log: Log): ScheduleEvents {
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
      const over = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
      while (!signal.aborted) {
        const head = waiting[0];
        if (head === undefined) {
          wake = Promise.withResolvers<void>();
          await Promise.race([wake.promise, over]);
          continue;
        }
        await tell(head);
        // The queue may have dropped it meanwhile.
        if (waiting[0] === head) waiting.shift();
      }
    },
  };
}
