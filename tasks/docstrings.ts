/**
 * Every exported name of the programs has a docstring; exits 1 and names those that have none. `deno doc --lint` asks
 * for more than is readable here: explicit types on schemas whose types are inferred, a sentence on every member.
 */
import * as z from "zod/mini";

const Declaration = z.object({
  location: z.object({ line: z.number() }),
  declarationKind: z.string(),
  kind: z.string(),
  jsDoc: z.optional(z.object({ doc: z.optional(z.string()) })),
});
const Docs = z.object({
  nodes: z.record(
    z.string(),
    z.object({ symbols: z.array(z.object({ name: z.string(), declarations: z.array(Declaration) })) }),
  ),
});

const ROOT = new URL("..", import.meta.url);
const FOLDERS = ["mod/", "adapters/", "cli/", "control-plane/"];

if (import.meta.main) Deno.exit(await check());

async function check(): Promise<number> {
  const files = FOLDERS.flatMap(sources);
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["doc", "--json", ...files],
    cwd: ROOT,
  }).output();
  if (!success) {
    await Deno.stderr.write(stderr);
    return 1;
  }
  const missing = undocumented(JSON.parse(new TextDecoder().decode(stdout)));
  for (const line of missing) say(line);
  return missing.length === 0 ? 0 : 1;
}

/** One sentence per exported name without a docstring, from the output of `deno doc --json`. */
export function undocumented(docs: unknown): string[] {
  const { nodes } = Docs.parse(docs);
  return Object.entries(nodes).flatMap(([url, { symbols }]) =>
    symbols.flatMap(({ name, declarations }) => {
      const exported = declarations.filter(({ declarationKind }) => declarationKind === "export");
      // A schema and the type that is inferred from it share a name and a docstring; an alias says itself what it is.
      const speaks = exported.some(({ jsDoc, kind }) => (jsDoc?.doc ?? "") !== "" || kind === "typeAlias");
      const line = exported[0]?.location.line;
      return line === undefined || speaks ? [] : [`${url.replace(ROOT.href, "")}:${line} ${name} has no docstring`];
    })
  ).sort();
}

function sources(folder: string): string[] {
  return [...Deno.readDirSync(new URL(folder, ROOT))].flatMap(({ name, isDirectory }) => {
    if (isDirectory) return sources(`${folder}${name}/`);
    return name.endsWith(".ts") ? [folder + name] : [];
  });
}

function say(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}
