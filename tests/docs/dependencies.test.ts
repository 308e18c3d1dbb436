/** docs/dependencies.md against deno.json and deno.lock. */
import assert from "node:assert/strict";
import * as z from "zod/mini";
import { cellsOf } from "./markdown.ts";

const safe = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };
const read = (path: string) => Deno.readTextFileSync(new URL(`../../${path}`, import.meta.url));
const { imports } = z.object({ imports: z.record(z.string(), z.string()) }).parse(JSON.parse(read("deno.json")));
const lock = z.object({ npm: z.record(z.string(), z.unknown()) }).parse(JSON.parse(read("deno.lock")));
const rows = cellsOf(read("docs/dependencies.md"));
const direct = rows.filter((row) => row.length === 6), indirect = rows.filter((row) => row.length === 4);

Deno.test({
  name: "dependencies.md: every import of deno.json is a row, with its version, and no row is left over",
  ...safe,
}, () => {
  const wanted = new Set(
    Object.values(imports).map((specifier) => {
      const [, name, version] = /^npm:((?:@[^/]+\/)?[^@/]+)@(\d+\.\d+\.\d+)(?:\/.*)?$/.exec(specifier) ?? [];
      assert.ok(name && version, `${specifier} is not one exact version from npm`);
      return `${name}@${version}`;
    }),
  );
  assert.deepEqual(direct.map(([name, version]) => `${name}@${version}`).sort(), [...wanted].sort());
});

Deno.test({ name: "dependencies.md: what the lockfile brings along is told, and nothing else", ...safe }, () => {
  const told = rows.map(([name, version]) => `${name}@${version}`);
  assert.deepEqual(told.sort(), Object.keys(lock.npm).map((name) => name.replace(/_.*$/, "")).sort());
  const names = direct.map(([name]) => name);
  for (const [name, , , by] of indirect) assert.ok(names.includes(by), `${name} is brought by ${by}?`);
});

Deno.test({ name: "dependencies.md: each row has a size, a licence, a program and a reason", ...safe }, () => {
  for (const [name, , size = "", licence = "", carriedBy = "", why = ""] of direct) {
    assert.match(size, /^\d+(\.\d+)? (KB|MB)$/, name);
    assert.match(licence, /^[A-Z]/, name);
    assert.match(carriedBy, /^(runner|control plane|tests)/, name);
    assert.ok(why.length > 20, name);
  }
});
