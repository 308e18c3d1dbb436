/** Turns a job's output into lines that may be kept: redacted, cut where they are too long, in batches. */
import { LIMITS } from "../../../mod/protocol/methods.ts";

/** What becomes of the lines. */
export interface LineOptions {
  /** Takes credentials out of lines in their order; as many come back. */
  redact(lines: readonly string[]): string[];
  /** Takes the next lines; the source is not read on before it is done. */
  write(lines: string[]): Promise<void>;
  /** The longest form, in characters, of any value that is redacted: no cut may leave a part of one. */
  longestValue: number;
}

/** Stands at the end of a line that was longer than 256 KiB. */
export const CUT_MARK = " [cut: the line was longer than 256 KiB]";

/** Reads the stream to its end. Bytes that are no UTF-8 become U+FFFD; a last line without newline counts. */
export async function copyLines(stream: ReadableStream<Uint8Array>, options: LineOptions): Promise<void> {
  // A line is redacted together with some text behind the limit, and loses as much again after redaction: a value
  // that lies across the limit is never cut in two and kept in part.
  const margin = Math.max(4096, options.longestValue);
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const splitter = createSplitter(LIMITS.logLineBytes + margin);

  const hand = async (lines: RawLine[]) => {
    if (lines.length === 0) return;
    const redacted = options.redact(lines.map((line) => line.text));
    await options.write(redacted.map((text, at) => lines[at]?.isCut ? cut(text.slice(0, -margin), true) : cut(text)));
  };
  for await (const chunk of stream) await hand(splitter.take(decoder.decode(chunk, { stream: true })));
  await hand(splitter.take(decoder.decode()));
  await hand(splitter.end());
}

interface RawLine {
  text: string;
  /** More was there than could be held. */
  isCut: boolean;
}

function createSplitter(hold: number): { take(text: string): RawLine[]; end(): RawLine[] } {
  let line: RawLine = { text: "", isCut: false };
  let isOpen = false;
  const extend = (text: string) => {
    isOpen = true;
    if (line.isCut) return;
    line.text += text;
    if (line.text.length > hold) line = { text: line.text.slice(0, hold), isCut: true };
  };
  const finish = (): RawLine => {
    const done = line;
    if (done.text.endsWith("\r")) done.text = done.text.slice(0, -1);
    line = { text: "", isCut: false };
    isOpen = false;
    return done;
  };
  return {
    take(text) {
      const lines: RawLine[] = [];
      let from = 0;
      for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", from)) {
        extend(text.slice(from, at));
        lines.push(finish());
        from = at + 1;
      }
      if (from < text.length) extend(text.slice(from));
      return lines;
    },
    end: () => isOpen ? [finish()] : [],
  };
}

const utf8 = new TextEncoder();

function cut(line: string, always = false): string {
  const isLong = line.length * 3 > LIMITS.logLineBytes && utf8.encode(line).length > LIMITS.logLineBytes;
  if (!always && !isLong) return line;
  const bytes = utf8.encode(line).subarray(0, LIMITS.logLineBytes - CUT_MARK.length);
  // A character that the limit splits would become U+FFFD: `stream` leaves it out.
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes, { stream: true }) + CUT_MARK;
}
