/** The log of a container as the kubelet keeps it. */
import type { ContainerLog, LogLine } from "../api_logs.ts";

/** One that grows. */
export interface GrowingLog extends ContainerLog {
  write(lines: readonly string[], options?: { unterminated?: boolean }): void;
  /** The same, before a last line that has no newline: that is flushed when all is over. */
  insert(lines: readonly string[]): void;
  end(): void;
}

/** `now` in milliseconds since the epoch. */
export function createContainerLog(now: () => number): GrowingLog {
  const lines: LogLine[] = [];
  const listeners = new Set<() => void>();
  let ended = false, last = 0n;
  const tell = () => {
    for (const listener of [...listeners]) listener();
  };
  const log: GrowingLog = {
    lines,
    get ended() {
      return ended;
    },
    listen(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    write(texts, { unterminated = false } = {}) {
      for (const text of texts) {
        const present = BigInt(Math.floor(now())) * 1_000_000n;
        // Every fourth line bears the time of the one before it: nobody promises that they differ.
        const next = lines.length % 4 === 3 ? last : last + 137n;
        last = present > next && lines.length % 4 !== 3 ? present + 59n : next;
        lines.push({ time: stamp(last), text, ...unterminated ? { unterminated } : {} });
      }
      tell();
    },
    insert(texts) {
      const rest = lines.at(-1)?.unterminated ? lines.pop() : undefined;
      log.write(texts);
      if (rest) log.write([rest.text], { unterminated: true });
    },
    end() {
      ended = true;
      tell();
    },
  };
  return log;
}

function stamp(nanoseconds: bigint): string {
  const seconds = new Date(Number(nanoseconds / 1_000_000_000n) * 1000).toISOString().slice(0, 19);
  return `${seconds}.${String(nanoseconds % 1_000_000_000n).padStart(9, "0")}Z`;
}
