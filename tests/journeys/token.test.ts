/** The runner's token is rotated in its file, before and after the old one was revoked. */
import assert from "node:assert/strict";
import { journey } from "./harness.ts";
import { begun } from "./programs.ts";
import { verifyRuns } from "./verify.ts";

journey("the token is rotated in its file", async (world) => {
  const { rest, folder, agentId, runner, controlPlane, gate, measured } = world;
  const long = gate("long");
  await rest.deploy("long", { lines: 10, gate: long.path });
  const runId = await rest.run("long");
  await begun(folder, runId);

  // In good order: the new one is in the file before the old one is revoked.
  const first = (await Deno.readTextFile(`${folder}/token-${agentId}`)).trim();
  const second = await controlPlane.issue(agentId);
  let mark = runner.program().mark();
  await runner.setToken(second);
  await runner.event("link.renewed", mark);
  await runner.event("session.open", mark);
  const settled = runner.program().mark();
  await controlPlane.revoke(first);

  // In bad order: revoked first. The link is closed at once, and the runner waits for another token.
  mark = runner.program().mark();
  await controlPlane.revoke(second);
  const refused = await runner.event("link.token_refused", mark);
  assert.equal(refused.code, 4401);
  const between = runner.output().split("\n").slice(settled, mark);
  assert.ok(between.every((line) => !line.includes('"session.open"')), "revoking the old one disturbed nobody");
  await rest.runnerIs(agentId, "Inactive", /token/);
  const third = await controlPlane.issue(agentId);
  const at = performance.now();
  await runner.setToken(third);
  await runner.event("link.token_changed", mark);
  await rest.runnerIs(agentId, "Active");
  measured(`Active ${Math.round(performance.now() - at)} ms after the new token was in the file`);

  await long.open();
  await rest.ended(runId);
  await verifyRuns(rest, folder, { [runId]: { state: "success", starts: 1 } });
  for (const token of [first, second, third]) {
    assert.ok(!runner.output().includes(token), "the runner's output has no token in it");
    assert.ok(!controlPlane.output().includes(token), "nor has the control plane's");
  }
});
