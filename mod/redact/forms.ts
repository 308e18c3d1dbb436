/** The forms in which a known value may occur in a log. */
import { revealBytes, type Secret } from "../secrets/secret.ts";

/** The shortest text that is redacted by value, in characters. */
export const SHORTEST_VALUE = 4;

/** The shortest line of a value with several lines that is redacted by itself: shorter ones are too common. */
const SHORTEST_LINE = 8;

/** Every form of every value, distinct, the longest first. */
export function escapedForms(values: readonly Secret[]): string[] {
  const forms = new Set<string>();
  for (const value of values) {
    const bytes = revealBytes(value);
    for (const form of bytes.length >= SHORTEST_VALUE ? base64Forms(bytes) : []) forms.add(form);
    // Bytes that are no UTF-8 have no raw form in a text.
    const text = textOf(bytes);
    if (text === undefined) continue;
    const trimmed = text.trim();
    const lines = text.split(/[\r\n]+/).map((line) => line.trim()).filter((line) => line.length >= SHORTEST_LINE);
    for (const raw of new Set([text, trimmed, ...lines])) {
      if (raw.length < SHORTEST_VALUE) continue;
      for (const encode of encodings) for (const form of encode(raw)) forms.add(form);
    }
    const trimmedBytes = new TextEncoder().encode(trimmed);
    if (trimmedBytes.length >= SHORTEST_VALUE) { for (const form of base64Forms(trimmedBytes)) forms.add(form); }
  }
  return [...forms].filter((form) => form.length >= SHORTEST_VALUE).sort((a, b) => b.length - a.length);
}

const encodings: readonly ((raw: string) => string[])[] = [
  (raw) => [raw],
  (raw) => {
    const percent = encodeURIComponent(raw);
    // RFC 3986 also reserves ! ' ( ) *; HTML forms write a space as +; some programs write the digits small.
    const strict = percent.replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
    const each = [percent, strict, percent.replaceAll("%20", "+"), strict.replaceAll("%20", "+")];
    return [...each, ...each.map((form) => form.replace(/%[0-9A-F]{2}/g, (escape) => escape.toLowerCase()))];
  },
  (raw) => {
    const json = JSON.stringify(raw).slice(1, -1);
    // Python's json escapes everything outside ASCII, PHP's and others' the slash; logs of JSON escape it once more.
    const ascii = json.replace(/[\u007f-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
    return [json, ascii, json.replaceAll("/", "\\/"), JSON.stringify(json).slice(1, -1)];
  },
];

/** RFC 4648, both alphabets, without padding: with it the text only goes on. */
function base64Forms(bytes: Uint8Array): string[] {
  let binary = "";
  for (let at = 0; at < bytes.length; at += 0x8000) {
    binary += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  }
  const padded = btoa(binary);
  const bare = padded.replace(/=+$/, "");
  return [padded, bare].flatMap((form) => [form, form.replaceAll("+", "-").replaceAll("/", "_")]);
}

function textOf(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
