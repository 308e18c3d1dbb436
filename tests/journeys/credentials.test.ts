/** A credential that a job uses is nowhere but where the operator put it. */
import assert from "node:assert/strict";
import { journey } from "./harness.ts";
import { verifyRuns } from "./verify.ts";

journey("a credential is used and leaves no trace", async (world) => {
  const { rest, folder, agentId, runner, controlPlane, measured } = world;
  const canary = `canary-${crypto.randomUUID()}`;
  await Deno.mkdir(`${folder}/secrets/collate`, { recursive: true });
  await Deno.writeTextFile(`${folder}/secrets/collate/warehouse-password`, canary);
  const password = "secret:/collate/warehouse-password";
  await rest.deploy("good", { lines: 5, password });
  await rest.deploy("bad", { lines: 5, password, exit: 3 });
  await rest.deploy("missing", { password: "secret:/collate/nowhere" });
  const [good, bad, missing] = [await rest.run("good"), await rest.run("bad"), await rest.run("missing")];
  const logs = [rest.follow(good), rest.follow(bad), rest.follow(missing)];
  for (const runId of [good, bad, missing]) await rest.ended(runId);
  for (const log of logs) await log.end;
  await verifyRuns(rest, folder, {
    [good]: { state: "success", starts: 1 },
    [bad]: { state: "failed", starts: 1 },
    [missing]: { state: "failed", starts: 0 },
  });
  const said = logs[0]?.lines.find((line) => line.startsWith("the password is ")) ?? "";
  assert.match(said, /^the password is \*+\.$/, "the job had it and printed it; the log hides it");
  const why = (await rest.detail(missing)).reason;
  assert.match(why?.message ?? "", /secret:\/collate\/nowhere.*file/, "what is missing is named");

  // Where it may never be.
  const heard = JSON.stringify([await rest.runs(), await rest.detail(bad), await rest.runner(agentId), logs]);
  assert.equal(await runner.program().terminate(), 0);
  assert.equal(await controlPlane.program().terminate(), 0);
  const places: Record<string, string> = {
    "the runner's output": runner.output(),
    "the control plane's output": controlPlane.output(),
    "what REST answers": heard,
  };
  for (const folderToRead of [folder, "/dev/shm"]) {
    for await (const path of filesIn(folderToRead)) {
      if (path.startsWith(`${folder}/secrets/`)) continue;
      const bytes = await Deno.readFile(path).catch(() => new Uint8Array());
      places[path] = new TextDecoder("latin1").decode(bytes);
    }
  }
  const forms = [canary, btoa(canary), encodeURIComponent(canary)];
  for (const [place, text] of Object.entries(places)) {
    for (const form of forms) assert.ok(!text.includes(form), `the credential is in ${place}`);
  }
  const files = Object.keys(places).length - 3;
  assert.ok(Object.keys(places).some((path) => path.includes("/control-plane/")), "the database was looked at");
  measured(`looked for the credential in ${files} files, two outputs and all that REST answers`);
});

async function* filesIn(folder: string): AsyncGenerator<string> {
  for await (const entry of Deno.readDir(folder)) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) yield* filesIn(path);
    else if (entry.isFile) yield path;
  }
}
