/** The house's rules on who may know whom, held against the real import graph; and that they can be broken. */
import assert from "node:assert/strict";
import * as z from "zod/mini";
import {
  type Import,
  NEVER_REACHED,
  ROOMS,
  tooLong,
  wrongImports,
  wrongReach,
  wrongText,
} from "../tasks/architecture.ts";

const safe = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };
const ROOT = new URL("..", import.meta.url);
const FOLDERS = ["mod", "adapters", "cli", "control-plane", "tasks", "bench", "examples", "tests"];

/** Files that are longer than one idea, each with its reason; a row that is no longer true is an error too. */
const LONG: Readonly<Record<string, string>> = {
  "mod/ports.ts": "every port on one page",
  "mod/protocol/peer.ts": "one closure over the state of one connection",
};

/** Without a specifier where it cannot be resolved, which `deno check` tells better. */
const Target = z.object({ specifier: z.optional(z.string()) });
const Dependency = z.object({ specifier: z.string(), code: z.optional(Target), type: z.optional(Target) });
const Info = z.object({
  modules: z.array(z.object({
    specifier: z.string(),
    error: z.optional(z.string()),
    dependencies: z.optional(z.array(Dependency)),
  })),
});

const files = sources();
const graph = await importGraph(files);

Deno.test({ name: "architecture: the graph is the real one", ...safe }, () => {
  assert.ok(files.length > 20 && graph.length > 50, `${files.length} files, ${graph.length} imports`);
  assert.ok(graph.some(({ from, to }) => from === "mod/protocol/peer.ts" && to === "mod/protocol/frame.ts"));
  assert.ok(graph.some(({ from, text }) => from === "mod/protocol/frame.ts" && text === "zod/mini"));
  for (const program of new Set(NEVER_REACHED.map((row) => row.program))) assert.ok(files.includes(program), program);
});

Deno.test({ name: "architecture: arrows point inward, packages are those of the room", ...safe }, () => {
  assert.deepEqual(wrongImports(graph), []);
});

Deno.test({ name: "architecture: no program carries what is not its own", ...safe }, () => {
  assert.deepEqual(wrongReach(graph), []);
});

Deno.test({ name: "architecture: the core takes nothing from around itself, ports are types", ...safe }, () => {
  assert.deepEqual(files.flatMap((path) => wrongText(path, read(path))), []);
});

Deno.test({ name: "architecture: a file is a room", ...safe }, () => {
  const long = files.filter((path) => tooLong(path, read(path)));
  assert.deepEqual(long.sort(), Object.keys(LONG).sort(), "divide the file, or give it a reason in LONG");
});

/** Each sabotage is one thing that somebody may do, and the rule that must say no. */
const SABOTAGES: readonly [name: string, wrong: () => string[], says: RegExp][] = [
  [
    "the core imports an adapter",
    () => imported("mod/run.ts", "adapters/clock.ts"),
    /mod\/run\.ts imports adapters\/clock\.ts/,
  ],
  ["the core imports the command line", () => imported("mod/run.ts", "cli/usage.ts"), /mod\/run\.ts imports cli/],
  ["the core imports a fake", () => imported("mod/run.ts", "tests/fakes/x.ts"), /mod\/run\.ts imports tests/],
  [
    "the core imports the control plane",
    () => imported("mod/run.ts", "control-plane/mod/views.ts"),
    /imports control-plane/,
  ],
  ["the core imports a package of its own choice", () => packaged("mod/run.ts", "jose"), /imports jose/],
  ["the core imports files", () => packaged("mod/run.ts", "node:fs"), /imports node:fs/],
  ["an adapter imports main", () => imported("adapters/clock.ts", "main.ts"), /imports main\.ts/],
  ["an adapter imports the command line", () => imported("adapters/clock.ts", "cli/usage.ts"), /imports cli/],
  [
    "an adapter imports the control plane",
    () => imported("adapters/clock.ts", "control-plane/main.ts"),
    /imports control-plane/,
  ],
  ["the command line imports main", () => imported("cli/usage.ts", "main.ts"), /imports main\.ts/],
  [
    "the control plane's core imports its adapters",
    () => imported("control-plane/mod/views.ts", "control-plane/adapters/x.ts"),
    /imports control-plane\/adapters/,
  ],
  [
    "the web page imports an adapter",
    () => imported("control-plane/web/html.ts", "control-plane/adapters/x.ts"),
    /imports control-plane\/adapters/,
  ],
  ["a version is written outside deno.json", () => packaged("adapters/clock.ts", "npm:yaml@2"), /deno\.json alone/],
  ["a file stands outside the house", () => imported("helper.ts", "mod/run.ts"), /in no room/],
  [
    "the runner reaches the control plane on a byway",
    () =>
      wrongReach([
        edge("main.ts", "cli/a.ts"),
        edge("cli/a.ts", "mod/b.ts"),
        edge("mod/b.ts", "control-plane/mod/views.ts"),
      ]),
    /main\.ts → cli\/a\.ts → mod\/b\.ts → control-plane\/mod\/views\.ts/,
  ],
  [
    "the runner carries jose",
    () => wrongReach([edge("main.ts", "adapters/a.ts"), { from: "adapters/a.ts", text: "jose", to: undefined }]),
    /main\.ts → adapters\/a\.ts → jose/,
  ],
  ...[
    "Deno.env.get('x')",
    "await fetch(url)",
    "Date.now()",
    "new Date()",
    "setTimeout(f, 1)",
    "setInterval(f, 1)",
    "Math.random()",
    "performance.now()",
    "console.error(1)",
    "crypto.randomUUID()",
    "AbortSignal.timeout(1)",
    "`${Date.now()}`",
  ].map((code) =>
    [`the core says ${code}`, () => wrongText("mod/x.ts", `const a = ${code};`), /the core takes/] as const
  )
    .map(([name, wrong, says]): [string, () => string[], RegExp] => [name, wrong, says]),
  ["a port holds a function", () => wrongText("mod/ports.ts", "export function f(): void {}"), /more than types/],
  ["a port imports a value", () => wrongText("mod/ports.ts", 'import { Job } from "./job.ts";'), /more than types/],
];

for (const [name, wrong, says] of SABOTAGES) {
  Deno.test({ name: `architecture teeth: ${name}`, ...safe }, () => {
    assert.match(wrong().join("\n"), says);
  });
}

Deno.test({ name: "architecture teeth: what is only said in a comment or a text is let through", ...safe }, () => {
  const text =
    '// Date.now() is for adapters\n/* fetch( */ const a = "Deno.customInspect", b = new Date(ms), c = clock.now();';
  assert.deepEqual(wrongText("mod/x.ts", text), []);
  assert.deepEqual(wrongText("adapters/x.ts", "Date.now()"), []);
  assert.ok(tooLong("mod/x.ts", "\n".repeat(300) + "x") && !tooLong("mod/x.ts", "x\n".repeat(200)));
});

function edge(from: string, to: string): Import {
  return { from, text: `./${to}`, to };
}

function imported(from: string, to: string): string[] {
  return wrongImports([edge(from, to)]);
}

function packaged(from: string, text: string): string[] {
  return wrongImports([{ from, text, to: undefined }]);
}

function read(path: string): string {
  return Deno.readTextFileSync(new URL(path, ROOT));
}

/** Every TypeScript file of ours, as paths from the root. */
function sources(): string[] {
  const found: string[] = [];
  const walk = (folder: string) => {
    for (const { name, isDirectory } of Deno.readDirSync(new URL(folder, ROOT))) {
      if (isDirectory) walk(`${folder}${name}/`);
      else if (name.endsWith(".ts")) found.push(`${folder}${name}`);
    }
  };
  for (const { name, isFile } of Deno.readDirSync(ROOT)) if (isFile && name.endsWith(".ts")) found.push(name);
  for (const folder of FOLDERS) if (ROOMS.some(({ part }) => part.startsWith(folder))) walk(`${folder}/`);
  return found;
}

/** One file that imports all others is asked for its graph, so that the graph is read once. */
async function importGraph(paths: string[]): Promise<Import[]> {
  const all = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    const root = ROOT.href;
    await Deno.writeTextFile(all, paths.map((path) => `import ${JSON.stringify(root + path)};\n`).join(""));
    const config = new URL("deno.json", ROOT).pathname;
    const { stdout, stderr, success } = await new Deno.Command(Deno.execPath(), {
      args: ["info", "--json", "--no-lock", "--config", config, all],
    }).output();
    assert.ok(success, new TextDecoder().decode(stderr));
    const { modules } = Info.parse(JSON.parse(new TextDecoder().decode(stdout)));
    const inside = (url: string) => url.startsWith(root) ? url.slice(root.length) : undefined;
    return modules.flatMap(({ specifier, error, dependencies = [] }) => {
      assert.equal(error, undefined);
      const from = inside(specifier);
      if (from === undefined) return [];
      return dependencies.map(({ specifier: text, code, type }) => ({
        from,
        text,
        to: inside((code ?? type)?.specifier ?? ""),
      }));
    });
  } finally {
    await Deno.remove(all);
  }
}
