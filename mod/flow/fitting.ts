/** Runs that fit: a frame has a limit, and what explains a failure (its last lines) may be larger than that. */
import type { RunStatus } from "../protocol/methods.ts";

/** Room for the envelope of a frame, and for what surrounds the runs. */
const ENVELOPE_BYTES = 4096;
const LONGEST_MESSAGE = 1024;

/** The status in at most `bytes` of JSON: what explains most is given up last. */
export function fitted(status: RunStatus, frameBytes: number): RunStatus {
  const room = frameBytes - ENVELOPE_BYTES;
  if (sizeOf(status) <= room) return status;
  const { lastLines: _lastLines, ...diagnostics } = status.diagnostics ?? {};
  const withoutLines = { ...status, diagnostics };
  if (sizeOf(withoutLines) <= room) return withoutLines;
  const { diagnostics: _diagnostics, ...bare } = status;
  const reason = status.reason && { ...status.reason, message: status.reason.message.slice(0, LONGEST_MESSAGE) };
  return { ...bare, ...reason ? { reason } : {} };
}

/** Items in pages of at most so many, and of at most a frame; at least one page, so that nothing is told too. */
export function pagesOf<T>(items: readonly T[], most: number, frameBytes: number): T[][] {
  const pages: T[][] = [[]];
  let bytes = 0;
  for (const item of items) {
    const size = sizeOf(item) + 1;
    const page = pages.at(-1) ?? [];
    if (page.length > 0 && (page.length >= most || bytes + size > frameBytes - ENVELOPE_BYTES)) {
      pages.push([item]);
      bytes = size;
    } else {
      page.push(item);
      bytes += size;
    }
  }
  return pages;
}

/** An upper bound of its UTF-8 length as JSON. */
function sizeOf(value: unknown): number {
  return JSON.stringify(value).length * 3;
}
