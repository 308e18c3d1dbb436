/** The log of a container as the kubelet keeps it. */
import type { ContainerLog, LogLine } from "../api_logs.ts";

/** One that grows. */
export interface GrowingLog extends ContainerLog {
  write(lines: readonly string[], options?: { unterminated?: boolean }): void;
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
  return {
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
    end() {
      ended = true;
      tell();
    },
  };
}

function stamp(nanoseconds: bigint): string {
  const seconds = new Date(Number(nanoseconds / 1_000_000_000n) * 1000).toISOString().slice(0, 19);
  return `${seconds}.${String(nanoseconds % 1_000_000_000n).padStart(9, "0")}Z`;
}
