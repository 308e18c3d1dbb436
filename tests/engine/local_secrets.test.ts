/** Secrets in the local engine: for the job alone, and only if every reference can be resolved. */
import assert from "node:assert/strict";
import { everything, inState, readLog, startNow, until } from "../contract/engine/harness.ts";
import { check, only } from "./local_check.ts";

const CANARY = "canary-7f3a-not-to-be-seen";

check("a job gets the value, and nobody else does", async (h, signal) => {
  await Deno.writeTextFile(`${h.stateDir}/warehouse`, CANARY);
  const job = h.job({ does: "succeed" }, {
    type: "any",
    document: "password: secret:/warehouse\n",
    env: { WISH: "1" },
  });
  const { runId } = await startNow(h, job, signal);
  const { lines } = await readLog(h, runId, { follow: true }, signal);
  await inState(h, runId, "failed", signal);
  const text = lines.join("\n");
  assert.match(text, /password: "?\*\*\*/);
  assert.match(text, /mode 600$/m);
  assert.match(text, /^WISH=1$/m);
  assert.match(text, /^pipelineType=any$/m);
  assert.match(text, new RegExp(`^pipelineRunId=${runId}$`, "m"));
  const names = lines.filter((line) => /^\w+=/.test(line)).map((line) => line.split("=")[0]).sort();
  const expected = ["HOME", "HYBRID_RUNNER_CONFIG", "HYBRID_RUNNER_TERMINATION_LOG", "PATH", "WISH", "pipelineRunId"];
  assert.deepEqual(names.filter((name) => !["PWD", "_", "SHLVL", "OLDPWD"].includes(String(name))), [
    ...expected,
    "pipelineType",
  ]);
  assert.equal((await h.engine.find(runId, signal))?.diagnostics?.exitCode, 7);
  // Neither the folder, nor what the engine tells, nor memory afterwards.
  await Deno.remove(`${h.stateDir}/warehouse`);
  assert.doesNotMatch(await allText(h.stateDir), new RegExp(CANARY));
  const path = /^HYBRID_RUNNER_CONFIG=(.*)$/m.exec(text)?.[1];
  assert(path);
  await until(h, "the resolved document is gone", () => Deno.stat(path).then(() => false, () => true), signal);
  assert.doesNotMatch(JSON.stringify([await everything(h, signal), h.logged]), new RegExp(CANARY));
}, only('cat "$HYBRID_RUNNER_CONFIG"; echo "mode $(stat -c %a "$HYBRID_RUNNER_CONFIG")"; env; exit 7'));

check("a reference that cannot be resolved stops the job before it starts", async (h, signal) => {
  const job = h.job({ does: "succeed", lines: 3 }, { document: "password: secret:/nowhere/at-all\n" });
  const { runId } = await startNow(h, job, signal);
  const run = await inState(h, runId, "failed", signal);
  assert.equal(run.reason?.code, "SecretNotResolved");
  assert.match(run.reason.message, /nowhere\/at-all/);
  assert.equal(run.times.started, undefined);
  const { lines } = await readLog(h, runId, { follow: true }, signal);
  assert.deepEqual(lines, [run.reason.message]);
});

check("a document that is no YAML is refused, unread by any job", async (h, signal) => {
  const { runId } = await startNow(h, h.job({ does: "succeed" }, { document: "a: [secret:/x\nb: }" }), signal);
  const run = await inState(h, runId, "failed", signal);
  assert.equal(run.reason?.code, "InvalidDocument");
});

check("a provider that this version lacks harms only jobs that need it", async (h, signal) => {
  const plain = await startNow(h, h.job({ does: "succeed" }), signal);
  await inState(h, plain.runId, "success", signal);
  const job = h.job({ does: "succeed" }, { pipelineId: "needs", document: "p: secret:/x/y" });
  const needs = await startNow(h, job, signal);
  assert.equal((await inState(h, needs.runId, "failed", signal)).reason?.code, "SecretNotResolved");
}, { secrets: { SECRETS_MANAGER: "vault" } });

/** The text of every file below the folder, names included. */
async function allText(folder: string): Promise<string> {
  let text = "";
  for await (const entry of Deno.readDir(folder)) {
    const path = `${folder}/${entry.name}`;
    text += `${path}\n`;
    text += entry.isDirectory ? await allText(path) : await Deno.readTextFile(path);
  }
  return text;
}
