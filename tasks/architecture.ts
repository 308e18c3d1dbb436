/** Which file may know which: the rules of the house as tables, and the import graph that they are held against. */

export interface Import {
  /** Path from the project's root. */
  from: string;
  /** The specifier as it is written. */
  text: string;
  /** Path from the project's root; undefined for a package. */
  to: string | undefined;
}

/** One part of the house: what it may import, besides itself. Packages left out: any that deno.json names. */
interface Room {
  part: string;
  parts: readonly string[];
  packages?: readonly string[];
}

const CORE_PACKAGES = ["zod/mini", "zod/locales/en", "yaml", "croner", "node:crypto"] as const;

/** The first row whose `part` begins the path decides. */
export const ROOMS: readonly Room[] = [
  { part: "mod/", parts: [], packages: CORE_PACKAGES },
  { part: "adapters/", parts: ["mod/"] },
  { part: "cli/", parts: ["adapters/", "mod/"] },
  { part: "main.ts", parts: ["cli/", "adapters/", "mod/"] },
  { part: "control-plane/mod/", parts: ["mod/"], packages: CORE_PACKAGES },
  { part: "control-plane/web/", parts: ["control-plane/mod/", "mod/"], packages: [] },
  { part: "control-plane/adapters/", parts: ["control-plane/mod/", "control-plane/web/", "adapters/", "mod/"] },
  { part: "control-plane/", parts: ["adapters/", "mod/"] },
  // The demo speaks to the programs as a user does: by their commands and by REST.
  { part: "examples/", parts: ["mod/", "control-plane/mod/"] },
  { part: "tasks/", parts: ["main.ts", "cli/", "adapters/", "mod/", "control-plane/", "bench/", "examples/"] },
  {
    part: "bench/",
    parts: ["main.ts", "cli/", "adapters/", "mod/", "control-plane/", "tasks/", "tests/", "examples/"],
  },
  {
    part: "tests/",
    parts: ["main.ts", "cli/", "adapters/", "mod/", "control-plane/", "tasks/", "bench/", "examples/"],
  },
];

/** Programs and what must never be in them. */
export const NEVER_REACHED: readonly { program: string; what: string; why: string }[] = [
  { program: "main.ts", what: "control-plane/", why: "the runner carries nothing of the control plane" },
  { program: "main.ts", what: "jose", why: "the runner verifies no token" },
  { program: "main.ts", what: "tests/", why: "no fake in a program" },
  { program: "control-plane/main.ts", what: "main.ts", why: "the control plane is no runner" },
  { program: "control-plane/main.ts", what: "adapters/engine/", why: "the control plane runs no jobs" },
  { program: "control-plane/main.ts", what: "adapters/secrets/", why: "the control plane reads no secrets" },
  { program: "control-plane/main.ts", what: "tests/", why: "no fake in a program" },
];

/** What the core must be handed instead of taking it from around itself. */
const AMBIENT: readonly RegExp[] = [
  /\bDeno\./,
  /(?<![.\w])fetch\(/,
  /\bDate\.now\b/,
  /\bnew Date\(\s*\)/,
  /\bset(Timeout|Interval)\b/,
  /\bMath\.random\b/,
  /\bperformance\.now\b/,
  /\bconsole\./,
  /\bcrypto\.(randomUUID|getRandomValues)\b/,
  /\bAbortSignal\.timeout\b/,
  /\bnew WebSocket\b/,
  /\bprocess\.(env|stdout|stderr)\b/,
];
const CORE = /^(control-plane\/)?mod\//;

/** About this many lines are one idea. */
export const LINES = 260;
const PROGRAM_CODE = /^(main\.ts|mod\/|adapters\/|cli\/|control-plane\/|tasks\/)/;

/** Every import that leaves its room for where it may not go, one sentence each. */
export function wrongImports(imports: readonly Import[]): string[] {
  return imports.flatMap(({ from, text, to }) => {
    if (/^(npm|jsr|https?):/.test(text)) return [`${from} imports ${text}: versions stand in deno.json alone`];
    const room = ROOMS.find(({ part }) => from.startsWith(part));
    if (room === undefined) return [`${from} is in no room of the house`];
    if (to === undefined) {
      const { part, packages } = room;
      if (packages === undefined || packages.includes(text)) return [];
      return [`${from} imports ${text}: ${part} may use ${packages.join(", ") || "no package"}`];
    }
    const allowed = to.startsWith(room.part) || room.parts.some((part) => to.startsWith(part));
    return allowed ? [] : [`${from} imports ${to}: ${room.part} may know ${room.parts.join(", ") || "itself only"}`];
  });
}

/** What a program carries and must not, with the way there. */
export function wrongReach(imports: readonly Import[]): string[] {
  return NEVER_REACHED.flatMap(({ program, what, why }) => {
    const way = wayTo(imports, program, what);
    return way === undefined ? [] : [`${way.join(" → ")}: ${why}`];
  });
}

function wayTo(imports: readonly Import[], program: string, what: string): string[] | undefined {
  const seen = new Set([program]), ways = [[program]];
  for (let way = ways.shift(); way !== undefined; way = ways.shift()) {
    const here = way.at(-1);
    for (const { from, to, text } of imports) {
      const next = to ?? text;
      if (from !== here || seen.has(next)) continue;
      seen.add(next);
      if (next === what || next.startsWith(what.endsWith("/") ? what : `${what}/`)) return [...way, next];
      ways.push([...way, next]);
    }
  }
  return undefined;
}

/** What one file says that it must not; `text` is its source. */
export function wrongText(path: string, text: string): string[] {
  const code = withoutCommentsAndStrings(text);
  const wrong: string[] = [];
  if (CORE.test(path)) {
    for (const pattern of AMBIENT) {
      const found = pattern.exec(code);
      if (found) wrong.push(`${path} uses ${found[0]}: the core takes clock, chance and the world by the door`);
    }
  }
  if (/(^|\/)ports\.ts$/.test(path)) {
    const value = /^\s*(export\s+)?(default|const|let|var|async|function|class|enum|abstract)\b.*/m.exec(code)?.[0] ??
      /^import (?!type\b).*/m.exec(code)?.[0];
    if (value) wrong.push(`${path} holds more than types: ${value.trim()}`);
  }
  return wrong;
}

/** Files of the programs that are longer than one idea. */
export function tooLong(path: string, text: string): boolean {
  return PROGRAM_CODE.test(path) && text.trimEnd().split("\n").length > LINES;
}

/** The source with comments and quoted strings emptied; template strings stay, for they hold code. */
export function withoutCommentsAndStrings(text: string): string {
  const token = /\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\[\s\S])*`/g;
  return text.replace(token, (found) => found.startsWith("`") ? found : found.startsWith("/") ? " " : '""');
}
