/** `deno task compile [runner|control-plane|all] [--out FOLDER]`: the executables, with their sizes and checksums. */
import { parseArgs } from "node:util";
import { build } from "./build.ts";
import { PROGRAMS } from "./programs.ts";

if (import.meta.main) Deno.exit(await compile(Deno.args));

async function compile(args: string[]): Promise<number> {
  try {
    const { values, positionals } = parseArgs({ args, options: { out: { type: "string" } }, allowPositionals: true });
    const wanted = positionals.length === 0 || positionals.includes("all") ? Object.keys(PROGRAMS) : positionals;
    const unknown = wanted.find((word) => !Object.hasOwn(PROGRAMS, word));
    if (unknown !== undefined) {
      throw new Error(`Cannot compile ${unknown}: known are ${Object.keys(PROGRAMS).join(", ")} and all`);
    }
    for (const word of wanted) {
      const program = PROGRAMS[word];
      if (program === undefined) continue;
      const { path, bytes, sha256 } = await build(program, values.out);
      say(Deno.stdout, `${sha256}  ${path}  ${(bytes / 1e6).toFixed(1)} MB`);
    }
    return 0;
  } catch (error) {
    say(Deno.stderr, error instanceof Error ? error.message : String(error));
    return 1;
  }
}

function say(to: { writeSync(bytes: Uint8Array): number }, line: string): void {
  to.writeSync(new TextEncoder().encode(`${line}\n`));
}
