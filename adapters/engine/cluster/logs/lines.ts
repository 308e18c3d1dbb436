/** Divides a body into blocks of whole lines. It works on bytes: a block costs one decoding, whatever lines it has. */
import { LIMITS } from "../../../../mod/protocol/methods.ts";
import { CUT_MARK } from "../../local/lines.ts";

/** The blocks of one body. */
export interface LineBlocks {
  /** Texts of one or more whole lines each, without the newline at their end, as far as the bytes go. */
  take(bytes: Uint8Array): Generator<string, void>;
  /** What stands behind the last newline; "" if nothing. */
  rest(): string;
}

/** Aimed at in one block; a line that is longer comes alone. */
const BLOCK_BYTES = LIMITS.logChunkBytes;
const NEWLINE = 10;
const NOTHING = new Uint8Array();

/** Blocks whose lines begin with up to `prefixBytes` that do not count for the limit of 256 KiB. */
export function createLineBlocks(prefixBytes: number): LineBlocks {
  const longest = LIMITS.logLineBytes + prefixBytes;
  const kept = longest - CUT_MARK.length;
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const cutter = new TextDecoder("utf-8", { ignoreBOM: true });
  /** The line that has no newline yet; of one that is too long only the head. */
  let open: Uint8Array = NOTHING;
  let isCut = false;

  const textOf = (line: Uint8Array, cut: boolean) => {
    if (!cut && line.length <= longest) return decoder.decode(line);
    // A character that the cut divides would become U+FFFD: `stream` leaves it out.
    const text = cutter.decode(line.subarray(0, kept), { stream: true }) + CUT_MARK;
    cutter.decode();
    return text;
  };

  return {
    *take(bytes) {
      let from = 0;
      if (isCut) {
        const end = bytes.indexOf(NEWLINE);
        if (end < 0) return;
        yield textOf(open, true);
        open = NOTHING;
        isCut = false;
        from = end + 1;
      }
      const all = open.length === 0 ? bytes : joined(open, bytes);
      while (from < all.length) {
        const limit = from + BLOCK_BYTES;
        let end = all.lastIndexOf(NEWLINE, limit - 1);
        if (end < from) end = limit < all.length ? all.indexOf(NEWLINE, limit) : -1;
        if (end < from) break;
        yield textOf(all.subarray(from, end), false);
        from = end + 1;
      }
      isCut = all.length - from > longest;
      open = all.slice(from, isCut ? from + longest : all.length);
    },
    rest: () => textOf(open, isCut),
  };
}

function joined(one: Uint8Array, other: Uint8Array): Uint8Array {
  const both = new Uint8Array(one.length + other.length);
  both.set(one);
  both.set(other, one.length);
  return both;
}
