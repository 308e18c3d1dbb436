/** The check of docstrings finds what has none, and lets through what has one. */
import assert from "node:assert/strict";
import { undocumented } from "../../tasks/docstrings.ts";

const declaration = (kind: string, doc?: string, declarationKind = "export") => ({
  location: { line: 7 },
  declarationKind,
  kind,
  ...doc === undefined ? {} : { jsDoc: { doc } },
});

Deno.test(
  { name: "docstrings: what has none is named with its place", sanitizeOps: true, sanitizeResources: true },
  () => {
    const symbols = [
      { name: "bare", declarations: [declaration("function")] },
      { name: "empty", declarations: [declaration("interface", "")] },
      { name: "told", declarations: [declaration("function", "Says what it does.")] },
      { name: "Schema", declarations: [declaration("variable"), declaration("typeAlias")] },
      { name: "own", declarations: [declaration("function", undefined, "private")] },
    ];
    assert.deepEqual(undocumented({ nodes: { "file:///elsewhere/a.ts": { symbols } } }), [
      "file:///elsewhere/a.ts:7 bare has no docstring",
      "file:///elsewhere/a.ts:7 empty has no docstring",
    ]);
  },
);
