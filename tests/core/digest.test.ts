/** Canonical JSON against RFC 8785, and the digest that is made of it. */
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { canonicalJson, contentDigest } from "../../mod/digest.ts";

const safe = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

/** Section 3.2.2 and 3.2.3, and numbers of appendix B. */
const VECTORS: readonly [value: unknown, canonical: string][] = [
  [
    {
      numbers: [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
      string: "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
      literals: [null, true, false],
    },
    '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
  ],
  [
    {
      "\u20ac": "Euro Sign",
      "\r": "Carriage Return",
      "\ufb33": "Hebrew Letter Dalet With Dagesh",
      "1": "One",
      "\ud83d\ude00": "Emoji: Grinning Face",
      "\u0080": "Control",
      "\u00f6": "Latin Small Letter O With Diaeresis",
    },
    '{"\\r":"Carriage Return","1":"One","\u0080":"Control","ö":"Latin Small Letter O With Diaeresis","€":"Euro Sign",' +
    '"\ud83d\ude00":"Emoji: Grinning Face","\ufb33":"Hebrew Letter Dalet With Dagesh"}',
  ],
  [0, "0"],
  [-0, "0"],
  [5e-324, "5e-324"],
  [-5e-324, "-5e-324"],
  [1.7976931348623157e308, "1.7976931348623157e+308"],
  [9007199254740992, "9007199254740992"],
  [295147905179352830000, "295147905179352830000"],
  [9.999999999999997e22, "9.999999999999997e+22"],
  [1e23, "1e+23"],
  [999999999999999700000, "999999999999999700000"],
  [1e21, "1e+21"],
  [0.000001, "0.000001"],
  [1e-7, "1e-7"],
  [{ b: undefined, a: 1 }, '{"a":1}'],
  [[undefined, 1], "[null,1]"],
  [{}, "{}"],
  ["", '""'],
];

for (const [value, canonical] of VECTORS) {
  Deno.test({ name: `canonical JSON: ${canonical.slice(0, 60)}`, ...safe }, () => {
    assert.equal(canonicalJson(value), canonical);
  });
}

Deno.test({
  name: "canonical JSON: it says the same value, in one way only, whatever the order of members (property)",
  ...safe,
}, () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.integer(), (value, seed) => {
      const text = canonicalJson(value);
      assert.deepEqual(JSON.parse(text), JSON.parse(JSON.stringify(value)));
      assert.equal(canonicalJson(JSON.parse(text)), text);
      assert.equal(canonicalJson(shuffled(value, seed)), text);
    }),
    { numRuns: 500 },
  );
});

Deno.test({ name: "canonical JSON: another value is another text (property)", ...safe }, () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
      const same = JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
      assert.equal(canonicalJson(a) === canonicalJson(b), same);
    }),
    { numRuns: 500 },
  );
});

Deno.test({ name: "digest: frozen, and bound to agent, id and content", ...safe }, () => {
  const job = { name: "Warehouse metadata", revision: 4 };
  const digest = contentDigest("RemoteRunner", "warehouse.metadata", job);
  // HMAC-SHA-256, key "RemoteRunner\nwarehouse.metadata", of the canonical JSON; a change would make redeliveries conflicts.
  assert.equal(digest, "705d1cc5562f897176de9d26ca4ef9331b0d58b45c486de4ec17703b46f9a66d");
  assert.equal(
    contentDigest("RemoteRunner", "warehouse.metadata", { revision: 4, name: "Warehouse metadata" }),
    digest,
  );
  for (
    const other of [
      contentDigest("Other", "warehouse.metadata", job),
      contentDigest("RemoteRunner", "other", job),
      contentDigest("RemoteRunner", "warehouse.metadata", { ...job, revision: 5 }),
    ]
  ) assert.notEqual(other, digest);
});

function shuffled(value: unknown, seed: number): unknown {
  if (Array.isArray(value)) return value.map((item) => shuffled(item, seed));
  if (value === null || typeof value !== "object") return value;
  const members = Object.entries(value).map(([key, member]) => [key, shuffled(member, seed)] as const);
  const turn = members.length === 0 ? 0 : Math.abs(seed) % members.length;
  return Object.fromEntries([...members.slice(turn), ...members.slice(0, turn)].reverse());
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== "object") return value;
  return Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, member]) => [[key], sorted(member)])
    .concat([["object"]]);
}
