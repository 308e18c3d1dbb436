/**
 * Writes docs/schema/hybrid-runner.v1.json from the zod schemas; with `--check` it only looks whether the file still
 * says the same, and exits 1 if not.
 */
import { protocolSchemaText } from "./schema/document.ts";

const file = new URL("../docs/schema/hybrid-runner.v1.json", import.meta.url);

if (import.meta.main) {
  const wanted = protocolSchemaText();
  if (Deno.args.includes("--check")) {
    const found = await Deno.readTextFile(file).catch(() => undefined);
    if (found !== wanted) {
      tell(
        "docs/schema/hybrid-runner.v1.json differs from mod/protocol/methods.ts: run `deno task schema` and commit it.",
      );
      Deno.exit(1);
    }
  } else {
    await Deno.mkdir(new URL(".", file), { recursive: true });
    await Deno.writeTextFile(file, wanted);
  }
}

function tell(sentence: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`${sentence}\n`));
}
