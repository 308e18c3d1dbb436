/** Private keys in PEM form (RFC 7468), on one line or over many. The BEGIN and END lines stay readable. */

const LABEL = "[A-Z0-9 ]{0,40}PRIVATE KEY[A-Z ]{0,10}-----";
const BEGIN = new RegExp(`-----BEGIN ${LABEL}`);
const END = new RegExp(`-----END ${LABEL}`);
/** BEGIN and END, as `split` wants them: kept as pieces of their own. */
export const KEY_MARKER: RegExp = new RegExp(`(-----(?:BEGIN|END) ${LABEL})`);

/** What a line of a key looks like when it stands alone, and inside a log line with its own prefix. */
const KEY_LINE = /^[\s"'>|]*[A-Za-z0-9+/=]+(?:\\r|\\n|["',\s])*$/;
const KEY_RUN = /[A-Za-z0-9+/=]{32,}/g;
/** A block without its END is closed after so many lines; the key of RSA 8192 has about 100. */
const LONGEST_BLOCK = 128;

/** Follows the lines of one stream. */
export interface KeyBlocks {
  /** True between a BEGIN and its END. */
  isOpen(): boolean;
  /** The next line, with what belongs to a key masked. */
  line(text: string): string;
}

/** Starts outside of any block. */
export function createKeyBlocks(mask: string): KeyBlocks {
  /** Lines that the open block may still last; 0: none is open. */
  let left = 0;

  const hide = (text: string): string => KEY_LINE.test(text) ? mask : text.replace(KEY_RUN, mask);

  const inside = (text: string): string => {
    const end = END.exec(text);
    left = end ? 0 : left - 1;
    if (!end) return hide(text);
    const from = end.index + end[0].length;
    return hide(text.slice(0, end.index)) + end[0] + outside(text.slice(from));
  };

  const outside = (text: string): string => {
    if (!text.includes("-----BEGIN ")) return text;
    let shown = "";
    let rest = text;
    for (let begin = BEGIN.exec(rest); begin; begin = BEGIN.exec(rest)) {
      const from = begin.index + begin[0].length;
      shown += rest.slice(0, from);
      rest = rest.slice(from);
      const end = END.exec(rest);
      if (!end) {
        left = LONGEST_BLOCK;
        return shown + hide(rest);
      }
      shown += (end.index > 0 ? mask : "") + end[0];
      rest = rest.slice(end.index + end[0].length);
    }
    return shown + rest;
  };

  return { isOpen: () => left > 0, line: (text) => (left > 0 ? inside(text) : outside(text)) };
}
