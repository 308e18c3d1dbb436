/** The control plane is put back to an old backup: what it has forgotten since, the runner tells again. */
import assert from "node:assert/strict";
import { journey } from "./harness.ts";
import { begun } from "./programs.ts";
import { verifyRuns } from "./verify.ts";

journey("the control plane is restored from an old backup", async (world) => {
  const { rest, folder, agentId, controlPlane, gate, measured } = world;
  const [long, late] = [gate("long"), gate("late")];
  await rest.deploy("long", { lines: 10, gate: long.path });
  await rest.deploy("work", { lines: 10 });
  const before = await rest.run("work");
  await rest.ended(before);
  const open = await rest.run("long");
  await begun(folder, open);
  await rest.runIs(open, "running");
  await controlPlane.backup(`${folder}/backup.db`);

  // After the backup: a run that ends and is acknowledged, one that fails, one that is still at work, new revisions.
  const done = await rest.run("work");
  await rest.ended(done);
  await rest.deploy("work", { lines: 20, exit: 4 });
  const { revision } = await rest.deploy("work", { lines: 20, exit: 5 });
  const failed = await rest.run("work");
  await rest.ended(failed);
  await rest.deploy("newer", { gate: late.path });
  const working = await rest.run("newer");
  await begun(folder, working);

  await controlPlane.program().kill();
  await controlPlane.restore(`${folder}/backup.db`);
  const at = performance.now();
  await controlPlane.start();
  await rest.runnerIs(agentId, "Active");
  for (const runId of [done, failed]) await rest.ended(runId);
  await rest.runIs(working, "running");
  measured(`all runs told again ${Math.round(performance.now() - at)} ms after the start`);

  // The revisions that were forgotten are not used again for other content.
  assert.ok((await rest.deployed("work")).revision >= revision);
  const after = await rest.deploy("work", { lines: 1 });
  assert.ok(after.revision > revision, `revision ${after.revision} comes after ${revision}`);
  const again = await rest.run("work");
  await rest.ended(again);
  await long.open();
  await late.open();
  await rest.ended(open);
  await rest.ended(working);
  const success = { state: "success" as const, starts: 1 };
  await verifyRuns(rest, folder, {
    ...{ [before]: success, [open]: success, [done]: success, [working]: success, [again]: success },
    [failed]: { state: "failed", starts: 1 },
  });
  assert.equal((await rest.detail(failed)).diagnostics?.exitCode, 5);
});
