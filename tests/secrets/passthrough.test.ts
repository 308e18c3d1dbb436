/** Documents for OpenMetadata's own framework: its ids, its provider and loader, and not a byte more. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { parse } from "yaml";
import { isFault } from "../../mod/fault.ts";
import type { JobKind } from "../../mod/run.ts";
import { openDocument } from "../../mod/secrets/document.ts";
import { SECRETS_MANAGERS } from "../../mod/secrets/mapping.ts";
import { isFrameworkManager, passthroughDocument } from "../../mod/secrets/passthrough.ts";
import { formatReference } from "../../mod/secrets/reference.ts";
import { test } from "../limited.ts";
import { references } from "./arbitraries.ts";

const documented = "secret:/collate/hybrid-ingestion-runner/warehouse-password";
const dashed = "secret:collate-hybrid-ingestion-runner-warehouse-password";

/** provider, what stands in the document, what the framework is given. */
const ids: [string, string, string][] = [
  ["kubernetes", documented, dashed],
  ["kubernetes", "secret:warehouse-password", "secret:warehouse-password"],
  ["aws", documented, documented],
  [
    "managed-aws",
    "secret:arn:aws:secretsmanager:x:1:secret:n-AbCdEf",
    "secret:arn:aws:secretsmanager:x:1:secret:n-AbCdEf",
  ],
  ["aws-ssm", documented, documented],
  ["managed-aws-ssm", documented, documented],
  ["gcp", documented, dashed],
  ["azure-kv", "secret:/a_b/c.d", "secret:a-b-c-d"],
  ["managed-azure-kv", documented, dashed],
];
for (const [manager, reference, id] of ids) {
  test(`passthrough: ${manager}: ${reference}`, () => {
    assert.equal(parse(passthroughDocument(`p: ${reference}`, manager, "pipeline")).p, id);
  });
}

test("passthrough: every provider that the framework knows has a row in this test", () => {
  assert.deepEqual(
    [...new Set(ids.map(([manager]) => manager))].sort(),
    SECRETS_MANAGERS.filter(isFrameworkManager).sort(),
  );
});

const refused: [string, string, RegExp][] = [
  ["kubernetes", "p: secret:/a#key", /cannot pick a #key/],
  ["aws", "p: secret:/a?version=1", /always reads the current version/],
  ["aws", "p: secret:/a?version=1#key", /#key/],
  ["vault", "p: secret:/a", /cannot read from vault/],
  ["file", "p: secret:/a", /cannot read from file/],
  ["env", "p: secret:/a", /cannot read from env/],
  ["kubernetes", "p: secret:/Upper", /lower-case/],
  ["kubernetes", "p: 'secret:'", /path is empty/],
  ["kubernetes", "p: [", /line 1/],
];
for (const [manager, document, sentence] of refused) {
  test(`passthrough: ${manager} refuses ${document}`, () => {
    assert.throws(() => passthroughDocument(document, manager, "pipeline"), (error) => {
      assert(isFault(error, "invalid"));
      assert.match(error.message, sentence);
      assert.equal(error.details.path, "document");
      return true;
    });
  });
}

const server = (members: string) => `workflowConfig:\n  openMetadataServerConfig:${members}\nend: 010 # as it was\n`;
const said = '    secretsManagerProvider: "kubernetes"\n    secretsManagerLoader: "env"\n';

/** What stands there, and what it becomes; the same twice where nothing is to be set. */
const places: [name: string, kind: JobKind, before: string, after: string][] = [
  ["a block", "pipeline", server("\n    a: yes"), server(`\n${said}    a: yes`)],
  [
    "what is said already",
    "pipeline",
    server("\n    secretsManagerProvider: db # c\n    secretsManagerLoader:\n    a: 1"),
    server('\n    secretsManagerProvider: "kubernetes" # c\n    secretsManagerLoader: "env"\n    a: 1'),
  ],
  [
    "a block scalar",
    "application",
    server("\n    secretsManagerProvider: |-\n      db\n    secretsManagerLoader: x"),
    server('\n    secretsManagerProvider: "kubernetes"\n    secretsManagerLoader: "env"'),
  ],
  ["behind an anchor", "pipeline", server(" &s\n    &k a: *k"), server(` &s\n${said}    &k a: *k`)],
  [
    "JSON",
    "pipeline",
    '{"workflowConfig":{"openMetadataServerConfig":{"a":1}}}',
    '{"workflowConfig":{"openMetadataServerConfig":{"secretsManagerProvider": "kubernetes", "secretsManagerLoader": "env", "a":1}}}',
  ],
  [
    "empty JSON",
    "pipeline",
    '{"workflowConfig":{"openMetadataServerConfig":{}}}',
    '{"workflowConfig":{"openMetadataServerConfig":{"secretsManagerProvider": "kubernetes", "secretsManagerLoader": "env"}}}',
  ],
  [
    "by an alias",
    "pipeline",
    "s: &s {a: 1}\nworkflowConfig: {openMetadataServerConfig: *s}",
    's: &s {"secretsManagerProvider": "kubernetes", "secretsManagerLoader": "env", a: 1}\nworkflowConfig: {openMetadataServerConfig: *s}',
  ],
  [
    "an automation",
    "automation",
    "openMetadataServerConnection:\n  a: 1\n",
    'openMetadataServerConnection:\n  secretsManagerProvider: "kubernetes"\n  secretsManagerLoader: "env"\n  a: 1\n',
  ],
  ["a pipeline without a server", "pipeline", "workflowConfig: {x: 1}", "workflowConfig: {x: 1}"],
  ["a server that is no mapping", "pipeline", server(" text"), server(" text")],
  [
    "an automation's place in a pipeline",
    "pipeline",
    "openMetadataServerConnection: {a: 1}",
    "openMetadataServerConnection: {a: 1}",
  ],
];
for (const [name, kind, before, after] of places) {
  test(`passthrough: provider and loader: ${name}`, () => {
    assert.equal(passthroughDocument(before, "kubernetes", kind), after);
  });
}

test("passthrough: a repeated key is set wherever it stands", () => {
  const text =
    "openMetadataServerConnection: {secretsManagerProvider: a, secretsManagerLoader: b, secretsManagerProvider: c}";
  const after = passthroughDocument(text, "gcp", "automation");
  assert.equal(after.match(/"gcp"/g)?.length, 2);
});

for (const odd of ["{secretsManagerProvider, a: 1}", "\n    secretsManagerProvider:\n      - a\n    x: 1"]) {
  test(`passthrough: an odd form is refused rather than hit wrongly: ${JSON.stringify(odd)}`, () => {
    assert.throws(() => passthroughDocument(server(` ${odd}`.trimEnd()), "kubernetes", "pipeline"), {
      code: "invalid",
      message: /cannot be edited/,
    });
  });
}

test("passthrough: a provider that the framework does not know changes nothing where there is nothing to read", () => {
  const text = server(" {a: 1}");
  assert.equal(passthroughDocument(text, "vault", "pipeline"), text);
});

test("passthrough: law: never a #key or ?version=, and a second time changes nothing", () => {
  const managers = fc.constantFrom(...SECRETS_MANAGERS.filter(isFrameworkManager));
  fc.assert(fc.property(managers, references, (manager, reference) => {
    const text = `{"openMetadataServerConnection": {"p": ${JSON.stringify(formatReference(reference))}}}`;
    let once: string;
    try {
      once = passthroughDocument(text, manager, "automation");
    } catch (error) {
      assert(isFault(error, "invalid"));
      return;
    }
    assert(reference.key === undefined && reference.version === undefined);
    for (const left of openDocument(once).references) assert(!/[#?]/.test(left), left);
    assert.equal(passthroughDocument(once, manager, "automation"), once);
  }));
});
