/** Two connections that are each other's far end, and a clock that moves when it is told to: all in memory. */
import { Fault } from "../../mod/fault.ts";
import type { Clock, Closed, Connection, Log } from "../../mod/ports.ts";
import { settled } from "../wait.ts";

export interface TestConnection extends Connection {
  /** What was handed to `send`, in order. */
  readonly sent: string[];
  /** Settable, to play a link that is slow. */
  buffered: number;
  /** Puts a frame in as if the far end had sent it. */
  receive(text: string): void;
}

/** Two ends of one link: what one sends, the other's `frames` yields; a close of one closes both. */
export function connectionPair(): [TestConnection, TestConnection] {
  const ends: Closed[] = [];
  const closed = Promise.withResolvers<Closed>();
  const left = end(() => right), right: TestConnection = end(() => left);
  return [left, right];

  function end(other: () => TestConnection): TestConnection {
    const queue: string[] = [];
    let wake = () => {};
    const sent: string[] = [];
    const finish = (close: Closed) => {
      ends.push(close);
      closed.resolve(close);
    };
    closed.promise.then(() => wake());
    return {
      sent,
      buffered: 0,
      closed: closed.promise,
      frames: frames(),
      send(text) {
        if (ends.length > 0) throw new Fault("unavailable", "Cannot send: the link is closed");
        sent.push(text);
        other().receive(text);
      },
      receive(text) {
        queue.push(text);
        wake();
      },
      close: (code, reason) => finish({ code, reason }),
      abandon: (reason) => finish({ code: 1006, reason }),
    };

    async function* frames(): AsyncGenerator<string> {
      while (true) {
        const text = queue.shift();
        if (text !== undefined) yield text;
        else if (ends.length > 0) return;
        else await new Promise<void>((resolve) => (wake = resolve));
      }
    }
  }
}

export interface TestClock extends Clock {
  /** Moves the time on, and lets everything that is due then go on. */
  advance(ms: number): Promise<void>;
  /** How many sleep. */
  sleepers(): number;
}

/** A clock that stands still until `advance`. */
export function testClock(start = Date.UTC(2026, 2, 1)): TestClock {
  let now = start;
  const sleeping = new Set<{ until: number; wake: () => void }>();
  return {
    now: () => now,
    sleepers: () => sleeping.size,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        signal.throwIfAborted();
        const sleeper = { until: now + ms, wake: resolve };
        sleeping.add(sleeper);
        signal.addEventListener("abort", () => {
          if (sleeping.delete(sleeper)) reject(signal.reason);
        }, { once: true });
      }),
    async advance(ms) {
      now += ms;
      for (const sleeper of [...sleeping].sort((a, b) => a.until - b.until)) {
        if (sleeper.until <= now && sleeping.delete(sleeper)) sleeper.wake();
      }
      await settled();
    },
  };
}

/** A log that is kept. */
export function testLog(): { log: Log; events: string[] } {
  const events: string[] = [];
  return { events, log: (_level, event) => void events.push(event) };
}
