/**
 * One program as one executable: bundled to a single file first (a plain compile would embed whole packages), minified,
 * then compiled from a folder of its own. The same inputs give the same bytes.
 */
import { createHash } from "node:crypto";
import type { Program } from "./programs.ts";

export interface Built {
  path: string;
  bytes: number;
  sha256: string;
}

const ROOT = new URL("..", import.meta.url).pathname;
/** Modification times are part of what is embedded. */
const EPOCH = new Date(0);

/** Builds `dist/<name>` (or `<out>/<name>`). DENORT_BIN in the environment names another base executable. */
export async function build(program: Program, out = `${ROOT}dist`): Promise<Built> {
  const folder = await Deno.makeTempDir({ prefix: "compile-" });
  try {
    await Deno.mkdir(out, { recursive: true });
    const plain = `${folder}/plain.js`, own = `${folder}/own`;
    await Deno.mkdir(own);
    await deno(["bundle", "--quiet", "--frozen", "--output", plain, program.entry], ROOT);
    // In two steps: `bundle --minify` in one breaks packages in CommonJS that require what Node has built in.
    await deno(["bundle", "--quiet", "--no-config", "--minify", "--output", `${own}/main.js`, plain], folder);
    await Deno.writeTextFile(`${own}/deno.json`, "{}\n");
    for (const path of [`${own}/main.js`, `${own}/deno.json`, own]) await Deno.utime(path, EPOCH, EPOCH);
    const path = `${await Deno.realPath(out)}/${program.name}`;
    await deno(["compile", "--quiet", ...program.flags, "--output", path, "main.js"], own);
    return await measure(path);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function deno(args: string[], cwd: string): Promise<void> {
  const base = Deno.env.get("DENORT_BIN");
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args,
    cwd,
    // Where the variable is relative, it means the folder that the task was called in.
    env: base ? { DENORT_BIN: await Deno.realPath(base) } : {},
    stdout: "null",
    stderr: "piped",
  }).output();
  if (!success) throw new Error(`Cannot ${args[0]}: ${new TextDecoder().decode(stderr).trim()}`);
}

async function measure(path: string): Promise<Built> {
  const hash = createHash("sha256");
  let bytes = 0;
  using file = await Deno.open(path);
  for await (const piece of file.readable) {
    hash.update(piece);
    bytes += piece.length;
  }
  return { path, bytes, sha256: hash.digest("hex") };
}
