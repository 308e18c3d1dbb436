import assert from "node:assert/strict";
import fc from "fast-check";
import { isFault } from "../../mod/fault.ts";
import { formatReference, isReference, parseReference } from "../../mod/secrets/reference.ts";
import { names, references } from "./arbitraries.ts";
import { test } from "../limited.ts";

const wellFormed: [string, object][] = [
  ["secret:/a/b", { name: "/a/b", path: "a/b" }],
  ["secret:name", { name: "name", path: "name" }],
  ["secret:/collate/hybrid-ingestion-runner/warehouse-password", {
    name: "/collate/hybrid-ingestion-runner/warehouse-password",
    path: "collate/hybrid-ingestion-runner/warehouse-password",
  }],
  ["secret:/a#key", { name: "/a", path: "a", key: "key" }],
  ["secret:/a?version=3", { name: "/a", path: "a", version: "3" }],
  ["secret:/a?version=AWSCURRENT#db.user", { name: "/a", path: "a", version: "AWSCURRENT", key: "db.user" }],
  ["secret:/a#what?", { name: "/a", path: "a", key: "what?" }],
  ["secret:a@b", { name: "a@b", path: "a@b" }],
  ["secret:100%", { name: "100%", path: "100%" }],
  ["secret:/..data/a", { name: "/..data/a", path: "..data/a" }],
  ["secret:arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf", {
    name: "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf",
    path: "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf",
  }],
];

const malformed: [string, RegExp][] = [
  ["secret:", /path is empty/],
  ["secret:/", /path is empty/],
  ["secret:#key", /path is empty/],
  ["secret:?version=1", /path is empty/],
  ["secret://a", /empty part/],
  ["secret:/a//b", /empty part/],
  ["secret:/a/", /empty part/],
  ["secret:/a/../b", /cannot climb/],
  ["secret:..", /cannot climb/],
  ["secret:./a", /cannot climb/],
  ["secret:/a\u0000b", /control character/],
  ["secret:/a\n", /line break/],
  ["secret:/a\u2028b", /line break/],
  ["secret:/a#k#l", /more than one #/],
  ["secret:/a#", /key after # is empty/],
  ["secret:/a?version=", /version= is empty/],
  ["secret:/a?", /only parameter/],
  ["secret:/a?v=1", /only parameter/],
  ["secret:/a?version=1&version=2", /only parameter/],
  ["secret:/a?version=1?version=2", /only parameter/],
  ["secret:/a?version=../1", /version has characters/],
  ["secret:/a#key?version=1", /order is/],
  ["secret:/a%2Fb", /percent escape/],
  ["secret:/%2e%2e/b", /percent escape/],
  ["secret: a", /space/],
  ["secret:/a ", /space/],
  ["secret:/a# k", /space/],
  ["secret:/\ud800", /surrogate/],
  [`secret:/${"a".repeat(1024)}`, /longer than 1024/],
  ["Secret:/a", /begins with secret:/],
  ["", /begins with secret:/],
];

for (const [text, parts] of wellFormed) {
  test(`secrets/reference: ${text}`, () => assert.deepEqual(parseReference(text), { text, ...parts }));
}

for (const [text, sentence] of malformed) {
  test(`secrets/reference: refuses ${JSON.stringify(text.slice(0, 60))}`, () => {
    assert.throws(() => parseReference(text), (error) => {
      assert.ok(isFault(error, "invalid"));
      assert.match(error.message, /^Cannot read the secret reference ".*": /);
      assert.match(error.message, sentence);
      return true;
    });
  });
}

test("secrets/reference: what is made of parts reads back as the same parts", () => {
  fc.assert(fc.property(references, ({ name, version, key }) => {
    const text = formatReference({ name, version, key });
    const read = parseReference(text);
    assert.deepEqual({ name: read.name, version: read.version, key: read.key }, { name, version, key });
    assert.equal(formatReference(read), text);
  }));
});

test("secrets/reference: any text is taken apart and put together again, or refused as invalid", () => {
  const pieces = fc.constantFrom(
    "secret:",
    "/",
    "#",
    "?",
    "version=",
    "..",
    ".",
    "a",
    "%2e",
    "\n",
    " ",
    "ß",
    "@",
    "\ud800",
  );
  const texts = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.array(pieces, { maxLength: 12 }).map((each) => each.join("")),
  );
  fc.assert(
    fc.property(texts, (rest) => {
      const text = `secret:${rest}`;
      try {
        const read = parseReference(text);
        assert.equal(formatReference(read), text);
        assert.ok(!read.path.split("/").some((part) => ["", ".", ".."].includes(part)));
      } catch (error) {
        assert.ok(isFault(error, "invalid"), String(error));
      }
    }),
    { numRuns: 2000 },
  );
});

test("secrets/reference: only a string with the prefix claims to be one", () => {
  fc.assert(fc.property(names, (name) => assert.ok(isReference(`secret:${name}`))));
  for (const value of [undefined, null, 1, {}, ["secret:a"], "a secret:b", " secret:a", "SECRET:a"]) {
    assert.equal(isReference(value), false);
  }
});
