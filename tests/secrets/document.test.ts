import assert from "node:assert/strict";
import fc from "fast-check";
import { parse } from "yaml";
import { isFault } from "../../mod/fault.ts";
import { DOCUMENT_LIMIT_BYTES } from "../../mod/job.ts";
import { referencesIn, resolveDocument } from "../../mod/secrets/document.ts";
import { reveal, Secret } from "../../mod/secrets/secret.ts";
import { test } from "../limited.ts";

const resolved = (text: string, values: Record<string, string>): string =>
  reveal(resolveDocument(text, new Map(Object.entries(values).map(([name, value]) => [name, Secret.of(value)]))));

test("secrets/document: a reference is a whole value anywhere, in every style of YAML", () => {
  const text = `
source:
  type: postgres # comment
  serviceConnection: &c
    password: secret:/plain # why
    single: 'secret:/single'
    double: "secr\\x65t:/double"
    literal: |-
      secret:/literal
    folded: >-
      secret:/folded
    tagged: !!str secret:/tagged
  list: [a, secret:/in-list, {k: secret:/in-flow}]
  again: secret:/plain
  copy: *c
  nested:
  - - secret:/deep#key
url: postgres://user:secret:/no@host
note: "not a secret:/reference"
`;
  assert.deepEqual(referencesIn(text), [
    "secret:/plain",
    "secret:/single",
    "secret:/double",
    "secret:/literal",
    "secret:/folded",
    "secret:/tagged",
    "secret:/in-list",
    "secret:/in-flow",
    "secret:/deep#key",
  ]);
  const values = Object.fromEntries(referencesIn(text).map((reference) => [reference, `<${reference}>\n`]));
  const before = JSON.stringify(parse(text));
  const after = JSON.stringify(parse(resolved(text, values)));
  assert.equal(after, before.replace(/"(secret:[^"]+)"/g, (_, reference) => JSON.stringify(values[reference])));
});

test("secrets/document: everything else stays byte for byte, what YAML 1.1 reads in its own way too", () => {
  const text = "on: yes\r\nwhen: 2020-01-01\r\noctal: 010\r\nsecret: 'secret:/a'\t# c\r\nend: ~\r\n";
  assert.equal(resolved(text, { "secret:/a": "x" }), text.replace("'secret:/a'", '"x"'));
  assert.equal(resolved("a: 1\n", {}), "a: 1\n");
  assert.equal(resolved("", {}), "");
});

test("secrets/document: JSON stays JSON", () => {
  const json = JSON.stringify({ a: "secret:/a", b: [1, true, "secret:/b"], c: { d: null } }, null, 2);
  const after = resolved(json, { "secret:/a": 'q"\\\n', "secret:/b": "123" });
  assert.deepEqual(JSON.parse(after), { a: 'q"\\\n', b: [1, true, "123"], c: { d: null } });
});

test("secrets/document: a value is the string that it was, whatever it looks like", () => {
  const special = fc.constantFrom(
    "123",
    "true",
    "null",
    "~",
    "- a",
    "a: b",
    "# c",
    "*x",
    "!!int 1",
    "\u0085",
    "\u2028",
    "\ufeff",
    "\u007f",
    "\u0000",
  );
  const values = fc.oneof(fc.string({ unit: "binary" }), special, fc.array(special).map((each) => each.join("\n")));
  const texts = fc.constantFrom(
    "a: secret:/x\nb: 1\n",
    "a: |-\n  secret:/x\nb: 1\n",
    "{a: secret:/x,b: 1}",
    '{"a":"secret:/x","b":1}',
    "? a\n: secret:/x\n? b\n: 1\n",
  );
  fc.assert(
    fc.property(texts, values.filter((value) => value.isWellFormed()), (text, value) => {
      const after = resolved(text, { "secret:/x": value });
      assert.deepEqual(parse(after), { a: value, b: 1 });
      // What YAML 1.1 readers refuse or break lines at must not stand there bare.
      assert.doesNotMatch(after, /(?!\n)[\p{Cc}\u00a0\u2028\u2029\ufeff\ufffe\uffff]/u);
    }),
    { numRuns: 500 },
  );
});

test("secrets/document: generated documents resolve to the same tree with values for references", () => {
  const leaf = fc.oneof(
    fc.constantFrom("secret:/a", "secret:/b#k", "secret:c"),
    fc.string(),
    fc.integer(),
    fc.boolean(),
  );
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { maxDepth: 4 },
      leaf,
      fc.array(tie("tree")),
      fc.dictionary(fc.stringMatching(/^[a-z]{1,5}$/), tie("tree")),
    ),
  }));
  fc.assert(fc.property(tree, (document) => {
    const json = JSON.stringify(document);
    const values = { "secret:/a": "1", "secret:/b#k": '"', "secret:c": "ü\n" };
    const known = (text: string): text is keyof typeof values => Object.hasOwn(values, text);
    const expected = JSON.parse(json, (_, value) => typeof value === "string" && known(value) ? values[value] : value);
    assert.deepEqual(JSON.parse(resolved(json, values)), expected);
  }));
});

const refused: [string, string, RegExp][] = [
  ["broken YAML, with its place and without its text", "a: 1\nb: [hunter2\nc: {", /line 3, column \d+: bad indent$/],
  ["an alias without its anchor", "a: *nowhere", /line 1, column 4: alias without its anchor/],
  ["two documents", "a: 1\n---\nb: secret:/a\n", /line 2, column 1: a second document/],
  ["a reference as a key", "? secret:/a\n: 1\n", /line 1, column 3: a secret reference stands in a key/],
  ["a reference within a key", "a: 1\n? [x, secret:/a]\n: 1\n", /line 2, column 7: a secret reference stands in a key/],
  ["what is nested too deeply", "[".repeat(100_000), /nested too deeply/],
  ["what is too large", "x".repeat(DOCUMENT_LIMIT_BYTES + 1), /larger than 900 KiB/],
  ["what is too large in bytes only", "ü".repeat(DOCUMENT_LIMIT_BYTES / 2 + 1), /larger than 900 KiB/],
];

for (const [what, text, sentence] of refused) {
  test(`secrets/document: refuses ${what}`, () => {
    assert.throws(() => referencesIn(text), (error) => {
      assert.ok(isFault(error, "invalid"));
      assert.match(error.message, sentence);
      assert.ok(!Deno.inspect(error).includes("hunter2"));
      return true;
    });
  });
}

test("secrets/document: aliases of aliases are not expanded", () => {
  let text = "a0: &a0 [secret:/a]\n";
  for (let i = 1; i < 40; i++) text += `a${i}: &a${i} [${Array(9).fill(`*a${i - 1}`).join(", ")}]\n`;
  assert.deepEqual(referencesIn(text), ["secret:/a"]);
});

test("secrets/document: bytes that are no text are malformed", () => {
  const value = Secret.of(new Uint8Array([0xff, 0x00]));
  assert.throws(() => resolveDocument("a: secret:/x", new Map([["secret:/x", value]])), (error) => {
    assert.ok(isFault(error, "malformed"));
    assert.match(error.message, /"secret:\/x".*not UTF-8/);
    return true;
  });
});

test("secrets/document: a reference without a value is a defect, never left as it is", () => {
  assert.throws(() => resolved("a: secret:/x", {}), (error) => isFault(error, "internal"));
});
