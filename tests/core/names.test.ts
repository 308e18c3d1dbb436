/** Names of objects are frozen: if a row here has to change, every run and pipeline in the field would get a second object. */
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { agentHash, base32, pipelineName, revisionName, runName, uuidOf } from "../../mod/names.ts";

const safe = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };
const RUN_ID = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff";

/** Worked out with another implementation of SHA-256 and base32. */
const AGENTS = [["RemoteRunner", "x5rr62og"], ["remoterunner", "plfy2z2h"], ["Läufer 1", "uabniqej"]] as const;
const PIPELINES = [
  ["warehouse.metadata", "slet5u6ro2ktje4ur4ph"],
  ["warehouse.Metadata", "j6bqiappjrdripnabodk"],
  ["données", "ucbrozeoz7osk6tdfalg"],
  [" ", "g2u6p4ojlobp7omxipqm"],
] as const;

for (const [agentId, hash] of AGENTS) {
  Deno.test({ name: `names: agent ${JSON.stringify(agentId)}`, ...safe }, () => {
    assert.equal(agentHash(agentId), hash);
    assert.equal(runName(agentId, RUN_ID), `hr-${hash}-6f9619ff8b864d01b42d00cf4fc964ff`);
  });
}

for (const [pipelineId, hash] of PIPELINES) {
  Deno.test({ name: `names: pipeline ${JSON.stringify(pipelineId)}`, ...safe }, () => {
    assert.equal(pipelineName("RemoteRunner", pipelineId), `hr-x5rr62og-${hash}`);
    assert.equal(revisionName("RemoteRunner", pipelineId, 12), `hr-x5rr62og-${hash}-r12`);
  });
}

Deno.test({ name: "names: a slot of a schedule has one runId, of version 8", ...safe }, () => {
  assert.equal(uuidOf("warehouse.metadata@2026-03-01T03:00:00.000Z"), "197fb3f7-b528-8503-9ba4-b09306f68d44");
});

Deno.test({ name: "names: base32 is that of RFC 4648, section 10", ...safe }, () => {
  const rows = [["", ""], ["f", "my"], ["fo", "mzxq"], ["foo", "mzxw6"], ["foob", "mzxw6yq"], ["fooba", "mzxw6ytb"], [
    "foobar",
    "mzxw6ytboi",
  ]];
  for (const [text, encoded] of rows) assert.equal(base32(new TextEncoder().encode(text)), encoded);
});

Deno.test({
  name: "names: every one is a label of RFC 1123 and short enough for a cron object's children (property)",
  ...safe,
}, () => {
  fc.assert(
    fc.property(
      fc.string({ unit: "binary" }),
      fc.string({ unit: "binary" }),
      fc.uuid(),
      fc.nat(),
      (agent, pipeline, run, revision) => {
        for (
          const name of [runName(agent, run), pipelineName(agent, pipeline), revisionName(agent, pipeline, revision)]
        ) {
          assert.match(name, /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/);
        }
        // CronJob names end at 52 characters, CronWorkflow names at 52 too; labels at 63.
        assert.ok(runName(agent, run).length <= 52 && pipelineName(agent, pipeline).length <= 52);
        assert.ok(revisionName(agent, pipeline, revision).length <= 63);
        assert.match(uuidOf(agent), /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      },
    ),
  );
});
