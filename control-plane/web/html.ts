/** HTML as a template tag: whatever is put into it is escaped, unless it came out of the tag itself. */

/** What may stand in a template: text and numbers are escaped; `undefined` and `false` leave nothing behind. */
export type Content = Html | string | number | false | undefined | readonly Content[];

/** Markup that is safe to send. Only {@linkcode html} makes it, so that no text can pass for markup. */
export class Html {
  readonly #markup: string;

  /** @private Use {@linkcode html}. */
  constructor(markup: string) {
    this.#markup = markup;
  }

  toString(): string {
    return this.#markup;
  }
}

/**
 * Writes markup. Attributes must stand in double quotes, and names of elements and attributes must be literal: the
 * escaping makes texts and quoted attribute values safe, nothing else. A line break at either end of the template, and
 * the indent around it, are the formatter's and left out.
 */
export function html(literals: TemplateStringsArray, ...contents: Content[]): Html {
  let markup = (literals[0] ?? "").replace(/^\s*\n\s*/, "");
  contents.forEach((content, index) => markup += render(content) + (literals[index + 1] ?? ""));
  // The last literal alone: what a content ends with is the content's.
  const tail = literals.at(-1) ?? "";
  const end = /\s*\n\s*$/.exec(tail)?.[0].length ?? 0;
  return new Html(end === 0 ? markup : markup.slice(0, Math.max(0, markup.length - end)));
}

/** An absolute path of this server whose variable segments cannot leave their place. */
export function pathOf(literals: TemplateStringsArray, ...segments: string[]): string {
  // encodeURIComponent throws on lone surrogates, and leaves "." and ".." alone, which a browser resolves away, even as
  // %2E: written so, they lead to a page that says that there is no such thing.
  const encode = (segment: string) =>
    encodeURIComponent(segment.toWellFormed()).replace(/^\.\.?$/, (dots) => dots.replaceAll(".", "%252E"));
  return literals.reduce((path, literal, index) => path + encode(segments[index - 1] ?? "") + literal);
}

function render(content: Content): string {
  if (content === undefined || content === false) return "";
  if (content instanceof Html) return content.toString();
  if (typeof content === "object") return content.map(render).join("");
  return String(content).replace(/[&<>"']/g, (character) => ENTITIES[character] ?? "");
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};
