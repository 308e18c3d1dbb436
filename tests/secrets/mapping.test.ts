import assert from "node:assert/strict";
import fc from "fast-check";
import { isFault } from "../../mod/fault.ts";
import type { SecretName } from "../../mod/ports.ts";
import { isOneToOne, mapReference, SECRETS_MANAGERS } from "../../mod/secrets/mapping.ts";
import { formatReference, parseReference } from "../../mod/secrets/reference.ts";
import { names, references } from "./arbitraries.ts";
import { test } from "../limited.ts";

const documented = "secret:/collate/hybrid-ingestion-runner/warehouse-password";
const dashed = "collate-hybrid-ingestion-runner-warehouse-password";
const asItStands = "/collate/hybrid-ingestion-runner/warehouse-password";

/** provider, reference, its name there. */
const rows: [string, string, string][] = [
  ["kubernetes", documented, dashed],
  ["kubernetes", "secret:warehouse-password", "warehouse-password"],
  ["kubernetes", "secret:/a.b/c1", "a.b-c1"],
  ["managed-aws", documented, asItStands],
  ["aws", documented, asItStands],
  ["aws", "secret:warehouse-password", "warehouse-password"],
  ["aws", "secret:arn:aws:secretsmanager:x:1:secret:n-AbCdEf#k", "arn:aws:secretsmanager:x:1:secret:n-AbCdEf"],
  ["aws", "secret:a@b", "a@b"],
  ["managed-aws-ssm", documented, asItStands],
  ["aws-ssm", "secret:/a?version=3", "/a"],
  ["gcp", documented, dashed],
  ["gcp", "secret:/A_b/c?version=latest", "A_b-c"],
  ["managed-azure-kv", documented, dashed],
  ["azure-kv", "secret:/a_b/ç.d", "a-b---d"],
  ["azure-kv", "secret:/a/🗝", "a--"],
  ["vault", documented, asItStands.slice(1)],
  ["vault", "secret:/a/b?version=2#user", "a/b"],
  ["file", documented, asItStands.slice(1)],
  ["file", "secret:warehouse-password", "warehouse-password"],
  ["env", documented, "HYBRID_RUNNER_SECRET_COLLATE_HYBRID_INGESTION_RUNNER_WAREHOUSE_PASSWORD"],
  ["env", "secret:a.ß/🗝", "HYBRID_RUNNER_SECRET_A____"],
];

const refused: [string, string, RegExp][] = [
  ["kubernetes", "secret:/Warehouse", /lower-case letters/],
  ["kubernetes", "secret:/ware_house", /lower-case letters/],
  ["kubernetes", "secret:/-a", /begins and ends with/],
  ["kubernetes", "secret:/a./b", /begins and ends with/],
  ["kubernetes", `secret:/${"a".repeat(254)}`, /at most 253/],
  ["kubernetes", "secret:/a#a key", /key of a Kubernetes Secret/],
  ["kubernetes", "secret:/a?version=1", /no versions/],
  ["gcp", "secret:/a.b", /letters, digits, - and _/],
  ["gcp", "secret:/a?version=1.2", /number, latest/],
  ["azure-kv", `secret:/${"a".repeat(128)}`, /at most 127/],
  ["azure-kv", "secret:/a?version=x-y", /letters and digits/],
  ["aws-ssm", "secret:/a?version=a:b", /number or a label/],
  ["vault", "secret:/a?version=latest", /number from 1/],
  ["vault", "secret:/a?version=0", /number from 1/],
  ["file", "secret:/a?version=1", /no versions/],
  ["env", "secret:/a?version=1", /no versions/],
  ["keychain", "secret:/a", /accepted are kubernetes, managed-aws/],
];

for (const [manager, reference, name] of rows) {
  test(`secrets/mapping: ${manager} ${reference}`, () => {
    assert.equal(mapReference(manager, parseReference(reference)).name, name);
  });
}

for (const [manager, reference, sentence] of refused) {
  test(`secrets/mapping: ${manager} refuses ${reference.slice(0, 40)}`, () => {
    assert.throws(() => mapReference(manager, parseReference(reference)), (error) => {
      assert.ok(isFault(error, "invalid"));
      assert.match(error.message, sentence);
      return true;
    });
  });
}

test("secrets/mapping: every provider has rows in this test", () => {
  assert.deepEqual([...new Set(rows.map(([manager]) => manager))].sort(), [...SECRETS_MANAGERS].sort());
});

/** What the provider's own service accepts. */
const alphabets: Record<string, RegExp> = {
  kubernetes: /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/,
  gcp: /^[0-9A-Za-z_-]{1,255}$/,
  "managed-azure-kv": /^[0-9A-Za-z-]{1,127}$/,
  "azure-kv": /^[0-9A-Za-z-]{1,127}$/,
  env: /^HYBRID_RUNNER_SECRET_[A-Z0-9_]+$/,
};

/** Plain names, so that the stricter providers take most of them. */
const plain = fc.tuple(
  fc.constantFrom("", "/"),
  fc.array(fc.stringMatching(/^[a-z0-9]{1,6}$/), { minLength: 1, maxLength: 4 }),
)
  .map(([slash, parts]) => ({ name: slash + parts.join("/"), version: undefined, key: undefined }));
const any = fc.oneof(plain, references);

for (const manager of SECRETS_MANAGERS) {
  test(`secrets/mapping: ${manager} keeps to its alphabet and carries key and version`, () => {
    fc.assert(fc.property(any, (parts) => {
      const mapped = tryMap(manager, formatReference(parts));
      if (!mapped) return;
      assert.match(mapped.name, alphabets[manager] ?? /^[^\p{Cc}]+$/u);
      assert.deepEqual([mapped.key, mapped.version], [parts.key, parts.version]);
      assert.equal(mapped.reference, formatReference(parts));
    }));
  });

  test(`secrets/mapping: ${manager} maps its own names to themselves`, () => {
    fc.assert(fc.property(any, ({ name }) => {
      const once = tryMap(manager, `secret:${name}`)?.name;
      if (once === undefined) return;
      const own = manager === "env" ? once.slice("HYBRID_RUNNER_SECRET_".length) : once;
      assert.equal(tryMap(manager, `secret:${own}`)?.name, once);
    }));
  });

  test(`secrets/mapping: ${manager} ${isOneToOne(manager) ? "never" : "sometimes"} gives two paths one name`, () => {
    if (!isOneToOne(manager)) {
      assert.equal(tryMap(manager, "secret:/a/b")?.name, tryMap(manager, "secret:/a-b")?.name);
      return;
    }
    fc.assert(fc.property(names, names, (one, other) => {
      // A leading slash is a part of the name only where it is used as it stands.
      fc.pre(one.replace(/^\//, "") !== other.replace(/^\//, ""));
      assert.notEqual(tryMap(manager, `secret:${one}`)?.name, tryMap(manager, `secret:${other}`)?.name);
    }));
  });
}

/** Undefined where the provider cannot have such a name. */
function tryMap(manager: string, reference: string): SecretName | undefined {
  try {
    return mapReference(manager, parseReference(reference));
  } catch (error) {
    if (isFault(error, "invalid")) return undefined;
    throw error;
  }
}
