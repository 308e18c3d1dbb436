/** The same inputs give the same bytes: what is in dist/ can be built again by anybody and compared. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { build } from "../../tasks/build.ts";
import { PROGRAMS } from "../../tasks/programs.ts";
import { inFolder } from "../folder.ts";
import { test } from "../limited.ts";

for (const program of Object.values(PROGRAMS)) {
  test(`compiled: ${program.name} built twice is the same file`, () =>
    inFolder(async (folder) => {
      const first = await Deno.readFile(new URL(`../../dist/${program.name}`, import.meta.url));
      const { sha256 } = await build(program, folder);
      assert.equal(sha256, createHash("sha256").update(first).digest("hex"));
    }));
}
