/** A row of the settings' table, and the readers that several rows share: undefined means "not acceptable". */

/** One variable: what it means, what is accepted, and how its text is read (undefined: not acceptable). */
export interface Row {
  name: string;
  about: string;
  accepts: string;
  /** The text where none is given; absent: it must be given; empty: it may be left out. */
  fallback?: string;
  isSecret?: true;
  read: (text: string) => unknown;
}

/** Reads a variable's text. */
export type Read<T> = (text: string) => T | undefined;

/** Any text; what is wrong with a path is told when it is read. */
export function anyText(text: string): string {
  return text;
}

/** Seconds from `least` to `most`, fractions allowed. */
export function seconds(least: number, most: number): Read<number> {
  return (text) => {
    const value = Number(text);
    return /^\d+(\.\d+)?$/.test(text) && value >= least && value <= most ? value : undefined;
  };
}

/** One of some words. */
export function oneOf(...words: string[]): Read<string> {
  return matching((text) => words.includes(text));
}

/** `true` or `false`; Helm writes them so, people also in capitals. */
export function bool(text: string): boolean | undefined {
  return /^(true|false)$/i.test(text) ? text.toLowerCase() === "true" : undefined;
}

/** A text that a predicate accepts. */
export function matching(accepts: (text: string) => boolean): Read<string> {
  return (text) => accepts(text) ? text : undefined;
}

/** A URL of one of these schemes with a host, without user and fragment. */
export function urlOf(...schemes: string[]): Read<string> {
  return matching((text) => {
    const url = URL.parse(text);
    return url !== null && schemes.includes(url.protocol) && url.host !== "" && url.username === "" &&
      url.password === "" && url.hash === "";
  });
}
