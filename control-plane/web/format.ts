/** Times and durations as people read them. */

/** `2026-02-03 04:05:06 UTC`; a text that is no instant comes back as it is. */
export function utc(instant: string): string {
  const milliseconds = Date.parse(instant);
  if (Number.isNaN(milliseconds)) return instant;
  return `${new Date(milliseconds).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/**
 * How long ago, or in how long, in the largest unit that fits. The browser runs this very function (script.ts), so it
 * must use nothing from outside itself.
 */
export function ageOf(instantMs: number, nowMs: number): string {
  const seconds = Math.round(Math.abs(nowMs - instantMs) / 1000);
  if (Number.isNaN(seconds)) return "";
  if (seconds < 2) return "now";
  const text = seconds < 120
    ? `${seconds} s`
    : seconds < 7200
    ? `${Math.floor(seconds / 60)} min`
    : seconds < 172_800
    ? `${Math.floor(seconds / 3600)} h`
    : `${Math.floor(seconds / 86_400)} d`;
  return instantMs > nowMs ? `in ${text}` : `${text} ago`;
}

/** `340 ms`, `1.2 s`, `9 min 3 s`, `2 h 5 min`, `3 d 4 h`. */
export function duration(milliseconds: number): string {
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  if (milliseconds < 10_000) return `${(Math.floor(milliseconds / 100) / 10).toFixed(1)} s`;
  const seconds = Math.floor(milliseconds / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return two(seconds, 60, "min", 1, "s");
  if (seconds < 86_400) return two(seconds, 3600, "h", 60, "min");
  return two(seconds, 86_400, "d", 3600, "h");
}

/** A number with its noun: `1 run`, `2 runs`. */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

function two(seconds: number, large: number, largeUnit: string, small: number, smallUnit: string): string {
  const rest = Math.floor((seconds % large) / small);
  return `${Math.floor(seconds / large)} ${largeUnit}${rest === 0 ? "" : ` ${rest} ${smallUnit}`}`;
}
