/** docs/protocol.md against the code: its examples, its tables, its members, its limits. */
import assert from "node:assert/strict";
import { FAULT_NUMBERS } from "../../mod/fault.ts";
import { CLOSES } from "../../mod/protocol/closes.ts";
import { INVALID_REQUEST, METHOD_NOT_FOUND, PARSE_ERROR } from "../../mod/protocol/frame.ts";
import { DEFAULT_PATH, LIMITS, SUBPROTOCOL, TO_CONTROL_PLANE, TO_RUNNER } from "../../mod/protocol/methods.ts";
import { RANK, RUN_STATES } from "../../mod/run.ts";
import { protocolSchema } from "../../tasks/schema/document.ts";
import { recordedFrames } from "../protocol/recorded.ts";
import { cellsOf, section } from "./markdown.ts";

const safe = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };
const page = Deno.readTextFileSync(new URL("../../docs/protocol.md", import.meta.url));

Deno.test({ name: "protocol.md: every JSON example is a recorded frame", ...safe }, () => {
  const recorded = new Set(recordedFrames().map(({ frame }) => JSON.stringify(frame)));
  const examples = [...page.matchAll(/```json\n([\s\S]*?)```/g)].map(([, text = ""]) =>
    JSON.stringify(JSON.parse(text))
  );
  assert.ok(examples.length >= 25, `${examples.length} examples`);
  for (const example of examples) assert.ok(recorded.has(example), example);
});

for (
  const [group, methods] of [["Runner → control plane", TO_CONTROL_PLANE], [
    "Control plane → runner",
    TO_RUNNER,
  ]] as const
) {
  Deno.test({ name: `protocol.md: ${group} has each method with an example and every member`, ...safe }, () => {
    const part = section(page, 2, group);
    const told = [...part.matchAll(/^### `(.+)`$/gm)].map(([, name]) => name);
    assert.deepEqual(told, Object.keys(methods));
    for (const method of Object.keys(methods)) {
      const text = section(part, 3, `\`${method}\``);
      assert.ok(text.includes(`"method": "${method}"`), `${method} has no example`);
      for (const member of [...members(`${method}.params`), ...members(`${method}.result`)]) {
        assert.ok(text.includes(`\`${member}\``), `${method} does not tell \`${member}\``);
      }
    }
  });
}

Deno.test({ name: "protocol.md: the job and the run are told with every member", ...safe }, () => {
  for (
    const [title, name] of [["The job", "Job"], ["Runs", "RunStatus"], ["Runs", "RunTimes"], [
      "Runs",
      "Diagnostics",
    ]] as const
  ) {
    const text = section(page, 2, title);
    for (const member of members(name)) assert.ok(text.includes(`\`${member}\``), `${title}: \`${member}\``);
  }
  const ranks = cellsOf(section(page, 2, "Runs")).slice(0, 3);
  assert.deepEqual(
    ranks,
    [1, 2, 3].map((rank) => [
      String(rank),
      RUN_STATES.filter((state) => RANK[state] === rank).map((state) => `\`${state}\``).join(", "),
    ]),
  );
});

Deno.test({ name: "protocol.md: close codes are those of the code, word for word", ...safe }, () => {
  const rows = Object.values(CLOSES).map(({ code, sender, meaning, then }) => [String(code), sender, meaning, then]);
  assert.deepEqual(cellsOf(section(page, 2, "Close codes")), rows);
});

Deno.test({ name: "protocol.md: error codes are those of the code", ...safe }, () => {
  const rows = cellsOf(section(page, 2, "Error codes")).map((
    [code, fault],
  ) => [Number(code), fault?.replaceAll("`", "")]);
  const faults = Object.entries(FAULT_NUMBERS).map(([fault, code]) => [code, fault]);
  const own = [PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND].map((code) => [code, ""]);
  assert.deepEqual(new Set(rows.map(String)), new Set([...own, ...faults].map(String)));
});

Deno.test({ name: "protocol.md: names and limits are those of the code", ...safe }, () => {
  for (const text of [SUBPROTOCOL, `\`${DEFAULT_PATH}\``]) assert.ok(page.includes(text), text);
  const told = cellsOf(section(page, 2, "Limits")).map(([, value]) => Number(value));
  for (const [name, value] of Object.entries(LIMITS)) assert.ok(told.includes(value), `${name}: ${value}`);
});

/** Definitions that the page tells once, and refers to. */
const TOLD_ELSEWHERE = [
  "run.status.params",
  "pipeline.deploy.result",
  "pipeline.toggle.result",
  "automation.run.result",
  "application.run.result",
  "canary.run.result",
];

/** The members of one definition of the JSON Schema. */
function members(name: string): string[] {
  if (TOLD_ELSEWHERE.includes(name)) return [];
  const { $defs } = protocolSchema();
  let definition = $defs[name];
  while (typeof definition?.$ref === "string") definition = $defs[definition.$ref.replace("#/$defs/", "")];
  assert.ok(definition, name);
  return Object.keys(definition.properties ?? {});
}
