/**
 * Known shapes of credentials, one row each. Every pattern is linear: no two of its matches can begin inside the same
 * run of characters and both walk through all of it.
 */

/** One shape: a text in which `hint` is found is worth the work of `replace`. */
export interface Shape {
  /** What it finds. */
  readonly name: string;
  /** The cheap look that comes first. */
  readonly hint: RegExp;
  /** The text with every such credential masked. */
  replace(text: string): string;
}

const replacing = (pattern: RegExp, replacement: string) => (text: string): string =>
  text.replace(pattern, replacement);

/** Words after which an assigned value is a credential; they may end a longer name (`db_password`, `apiKey`). */
const NAMES = [
  "pass(?:word|wd|phrase)",
  "pwd",
  "secret(?:[_-]?(?:access[_-]?)?key)?",
  "token",
  "(?:api|access|account|private|sharedaccess|storage|encryption|signing)[_-]?key",
  "credentials?",
  "sharedaccesssignature",
].join("|");

/** One assigned value: in quotes (which may themselves be escaped), or up to what ends a word. */
const VALUE = [
  `(?<=\\\\["'])[^"'\\\\]+`,
  `(?<=(?<!\\\\)")(?=[^"])[^"\\\\]*(?:\\\\.[^"\\\\]*)*\\\\?`,
  `(?<=(?<!\\\\)')(?=[^'])[^'\\\\]*(?:\\\\.[^'\\\\]*)*\\\\?`,
  `[^\\s"',;&)}\\]]+`,
].join("|");

/** No values at all, and references, which are no credentials. */
const NO_CREDENTIAL = `(?:null|none|true|false|undefined)(?=[\\s"',;&)}\\]\\\\]|$)|secret:`;

const reference = `(?<![\\w-])secret:[^\\s"'\\\\,;]+\\\\?["']?:?`;
const assignment = new RegExp(
  `${reference}|((?:${NAMES})\\\\?["']?\\s{0,4}[:=]\\s{0,4}\\\\?["']?)(?!${NO_CREDENTIAL})(?:${VALUE})`,
  "gi",
);

/** In this order; JSON Web Tokens after the shapes of fixed length, which may stand right before one. */
export const shapes: readonly Shape[] = [
  {
    name: "the password in a URL",
    hint: /:\/\//,
    replace: replacing(/(:\/\/[^\s/?#:@"'<>]*:)[^\s/?#"'<>]+@/g, "$1***@"),
  },
  { name: "AWS access key id", hint: /A[KS]IA/, replace: replacing(/A[KS]IA[A-Z0-9]{16,}/g, "***") },
  {
    name: "Google API key, OAuth token or client secret",
    hint: /AIza|ya29\.|GOCSPX-/,
    replace: replacing(/(?:AIza[A-Za-z0-9_-]{35,}|ya29\.[A-Za-z0-9_.-]{16,}|GOCSPX-[A-Za-z0-9_-]{20,})/g, "***"),
  },
  {
    name: "Azure client secret",
    hint: /[78]Q~/,
    replace: replacing(/[A-Za-z0-9_~.-]{3}[78]Q~[A-Za-z0-9_~.-]{31,}/g, "***"),
  },
  { name: "Azure shared access signature", hint: /[?&]sig=/, replace: replacing(/([?&]sig=)[^\s&"'<>]+/g, "$1***") },
  {
    name: "Slack token or webhook",
    hint: /xox[a-z]-|xapp-|hooks\.slack\.com/,
    replace: replacing(/(?:xox[a-z]-|xapp-|hooks\.slack\.com\/services\/)[A-Za-z0-9/-]{10,}/g, "***"),
  },
  {
    name: "GitHub or GitLab token",
    hint: /gh[opsur]_|github_pat_|glpat-/,
    replace: replacing(/(?:gh[opsur]_|github_pat_|glpat-)[A-Za-z0-9_-]{16,}/g, "***"),
  },
  {
    name: "Databricks or Vault token",
    hint: /dapi[0-9a-f]|hv[sbr]\./,
    replace: replacing(/(?:dapi[0-9a-f]{32,}|hv[sbr]\.[A-Za-z0-9_-]{20,})/g, "***"),
  },
  {
    // RFC 7519: header and payload are JSON objects, so the first begins with eyJ; RFC 7516 has five parts. It begins
    // only where a run of its characters begins: else "eyJeyJeyJ…" would take quadratic time.
    name: "JSON Web Token",
    hint: /eyJ/,
    replace: replacing(/(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){2,4}/g, "***"),
  },
  {
    name: "Authorization header",
    hint: /authorization/i,
    replace: replacing(
      /(authorization\\?["']?\s{0,4}[:=]\s{0,4}\\?["']?(?:(?:bearer|basic|digest|token|negotiate)\s{1,4})?)[^\s"'\\,;}]+/gi,
      "$1***",
    ),
  },
  {
    name: "bearer token",
    hint: /bearer\s/i,
    replace: replacing(/(bearer\s{1,4})[A-Za-z0-9._~+/=-]{16,}/gi, "$1***"),
  },
  {
    // References are stepped over, with the quote and colon that follow: `cannot read "secret:/db-password": no …`.
    name: "assignment",
    hint: new RegExp(NAMES, "i"),
    replace: (text) =>
      text.replace(assignment, (match: string, before?: string) => {
        if (before !== undefined) return `${before}***`;
        // References are written small; `SECRET:abc` is an assignment.
        return match.startsWith("secret:") ? match : `${match.slice(0, "secret:".length)}***`;
      }),
  },
];

/** True where any shape may be: the one look at a whole block. Cases are spelt out: it is faster than the i flag. */
export const HINT = new RegExp(
  [
    "://|-----BEGIN |A[KS]IA|AIza|ya29\\.|GOCSPX-|[78]Q~|[?&]sig=|xox[a-z]-|xapp-|hooks\\.slack|gh[opsur]_|github_pat_",
    "glpat-|dapi[0-9a-f]|hv[sbr]\\.|eyJ",
    ...["authorization", "bearer", "pass", "pwd", "secret", "token", "credential", "sharedaccess"].map(anyCase),
    `${anyCase("key")}\\\\?["']?\\s{0,4}[:=]`,
  ].join("|"),
);

function anyCase(word: string): string {
  return word.replace(/[a-z]/g, (letter) => `[${letter}${letter.toUpperCase()}]`);
}
