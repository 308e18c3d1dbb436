/**
 * Takes credentials out of text that leaves the cluster: by shape (what looks like one) and by value (what is known to
 * be one). The value becomes `***`, the rest stays readable. Linear in the length of the text, whatever the text.
 */
import { escapedForms } from "./redact/forms.ts";
import { createKeyBlocks, KEY_MARKER } from "./redact/key_block.ts";
import { HINT, shapes } from "./redact/shapes.ts";
import type { Secret } from "./secrets/secret.ts";

/** Each pass completes what the one before began; texts that need more than two are made for it. */
const MOST_PASSES = 8;

/** What stands in the place of a credential. */
export const MASK = "***";

/** One redactor per stream: it remembers whether a private key's block is open. */
export interface Redactor {
  /** One line without its line break. */
  line(text: string): string;
  /** Any text; its line breaks are kept. */
  text(block: string): string;
  /** Lines in their order; cheaper than one by one. */
  lines(lines: readonly string[]): string[];
}

/** What a redactor knows besides the shapes. */
export interface RedactorOptions {
  /**
   * Values that are redacted wherever they occur, raw, in base64, percent-encoded or JSON-escaped, and each longer line
   * of a value with several. Values shorter than 4 characters are not: the log would be full of holes that tell them.
   */
  values?: readonly Secret[];
}

/** Makes a redactor. */
export function createRedactor(options: RedactorOptions = {}): Redactor {
  const known = createKnown(options.values ?? []);
  const keyBlocks = createKeyBlocks(MASK);

  const line = (text: string): string => {
    const hidden = known.replace(text);
    const shown = keyBlocks.line(hidden);
    if (!HINT.test(shown)) return shown;
    // The BEGIN and END of a key are never a part of something else: a second pass must see the same blocks.
    return shown.includes("-----") ? shown.split(KEY_MARKER).map(byShape).join("") : byShape(shown);
  };
  // Most blocks hold nothing: one look at the whole is several times cheaper than one at each line.
  const isPlain = (block: string): boolean => !keyBlocks.isOpen() && !HINT.test(block) && !known.occurs(block);

  return {
    line,
    text: (block) => isPlain(block) ? block : block.split("\n").map(line).join("\n"),
    lines: (lines) => isPlain(lines.join("\n")) ? [...lines] : lines.map(line),
  };
}

/** Until nothing more is found: a mask may complete another shape, as in `://secretkey://}@`. */
function byShape(text: string): string {
  let shown = text;
  for (let pass = 0; pass < MOST_PASSES; pass++) {
    const before = shown;
    for (const { hint, replace } of shapes) if (hint.test(shown)) shown = replace(shown);
    if (shown === before) break;
  }
  return shown;
}

/** What is known by value. */
function createKnown(values: readonly Secret[]): { occurs(text: string): boolean; replace(text: string): string } {
  const forms = escapedForms(values);
  if (forms.length === 0) return { occurs: () => false, replace: (text) => text };
  const source = forms.map((form) => form.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&")).join("|");
  const any = new RegExp(source);
  const every = new RegExp(source, "g");
  // A value with * in it may come to be anew beside a mask; every round makes the text shorter, so this ends.
  const rounds = forms.some((form) => form.includes("*")) ? Infinity : 1;
  return {
    occurs: (text) => any.test(text),
    replace: (text) => {
      let shown = text;
      for (let round = 0; round < rounds && any.test(shown); round++) shown = shown.replace(every, MASK);
      return shown;
    },
  };
}
