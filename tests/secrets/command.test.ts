/** `hybrid-runner resolve` over real files. */
import assert from "node:assert/strict";
import { resolveCommand } from "../../cli/resolve.ts";
import { inFolder } from "../folder.ts";
import { test } from "../limited.ts";

const CANARY = "canary-91ffab20";
const never = new AbortController().signal;

interface Place {
  dir: string;
  out: string;
  document: string;
  env: Record<string, string>;
  run(args: string[], options?: { signal?: AbortSignal; stdin?: string }): Promise<Outcome>;
}

interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
  /** The resolved document; undefined where there is none. */
  written: string | undefined;
  termination: string | undefined;
}

function command(name: string, work: (place: Place) => Promise<void>): void {
  test(`secrets/command: ${name}`, () =>
    inFolder(async (dir) => {
      await Deno.mkdir(`${dir}/secrets`);
      await Deno.mkdir(`${dir}/out`);
      await Deno.writeTextFile(`${dir}/secrets/good`, CANARY);
      await work(place(dir));
    }));
}

function place(dir: string): Place {
  const env: Record<string, string> = {
    SECRETS_MANAGER: "file",
    SECRETS_DIR: `${dir}/secrets`,
    HYBRID_RUNNER_DOCUMENT: `${dir}/document`,
    HYBRID_RUNNER_TERMINATION_LOG: `${dir}/termination`,
  };
  const out = `${dir}/out/config`;
  const textAt = (path: string) => Deno.readTextFile(path).catch(() => undefined);
  return {
    dir,
    out,
    env,
    document: `${dir}/document`,
    run: async (args, options = {}) => {
      let stdout = "";
      let stderr = "";
      const io = {
        env: (name: string) => env[name],
        stdout: (text: string) => void (stdout += text),
        stderr: (text: string) => void (stderr += text),
        stdin: () => new Blob([options.stdin ?? ""]).stream(),
      };
      const code = await resolveCommand(["--out", out, ...args], io, options.signal ?? never);
      const outcome = {
        code,
        stdout,
        stderr,
        written: await textAt(out),
        termination: await textAt(`${dir}/termination`),
      };
      const told = stdout + stderr + (outcome.termination ?? "");
      assert.ok(!told.includes(CANARY), "a value was told");
      return outcome;
    },
  };
}

const names = async (dir: string): Promise<string[]> =>
  (await Array.fromAsync(Deno.readDir(dir))).map(({ name }) => name);

command("writes the resolved document in one step, for user and group to read", async ({ dir, out, document, run }) => {
  await Deno.writeTextFile(document, "a: secret:/good\n");
  const outcome = await run([]);
  assert.equal(outcome.code, 0, outcome.stderr);
  assert.equal(outcome.written, `a: "${CANARY}"\n`);
  assert.equal(((await Deno.stat(out)).mode ?? 0) & 0o777, 0o440);
  assert.deepEqual(await names(`${dir}/out`), ["config"]);
  assert.match(outcome.stdout, /^secret:\/good: file good\n1 secret reference resolved into /);
  assert.equal(outcome.termination, undefined);
});

command("again over an earlier result and what a killed attempt left", async ({ dir, document, run }) => {
  await Deno.writeTextFile(document, "a: secret:/good\n");
  await run([]);
  await Deno.writeTextFile(`${dir}/out/.config.part`, "half");
  assert.equal((await run([])).code, 0);
  assert.deepEqual(await names(`${dir}/out`), ["config"]);
});

command("fails closed: nothing is written, and an earlier result is removed", async ({ dir, out, document, run }) => {
  await Deno.writeTextFile(out, "earlier");
  await Deno.writeTextFile(document, "a: secret:/good\nb: secret:/gone\nc: secret:/good#key\n");
  const outcome = await run([]);
  assert.equal(outcome.code, 1);
  assert.deepEqual(await names(`${dir}/out`), []);
  const lines = outcome.stderr.trimEnd().split("\n");
  assert.equal(lines.length, 2);
  assert.match(
    lines[0] ?? "",
    /^not_found: Cannot read secret "secret:\/gone" from file: .*correct the reference \(the file is .*\)$/,
  );
  assert.match(lines[1] ?? "", /^malformed: Cannot read secret "secret:\/good#key" from file: .*no JSON object$/);
  const { code, message } = JSON.parse(outcome.termination ?? "");
  assert.equal(code, "not_found");
  assert.match(message, /2 of 3 secret references.*secret:\/gone.*secret:\/good#key/);
});

command("a termination message is cut to what the kubelet takes", async ({ document, run }) => {
  const references = Array.from({ length: 99 }, (_, i) => `- secret:/gone-${i}-ü🗝`);
  await Deno.writeTextFile(document, references.join("\n"));
  const { termination = "" } = await run([]);
  assert.ok(new TextEncoder().encode(termination).length <= 4096);
  assert.match(JSON.parse(termination).message, /^Cannot resolve 99 of 99.*…$/);
});

command("--check reads every secret and touches no file", async ({ out, document, run }) => {
  await Deno.writeTextFile(out, "earlier");
  await Deno.writeTextFile(document, "a: secret:/good\n");
  const good = await run(["--check"]);
  assert.equal(good.code, 0);
  assert.equal(good.written, "earlier");
  await Deno.writeTextFile(document, "a: secret:/gone\n");
  assert.equal((await run(["--check"])).code, 1);
});

command("--json tells the same to a machine", async ({ out, document, run }) => {
  await Deno.writeTextFile(document, "a: secret:/good\n");
  assert.deepEqual(JSON.parse((await run(["--json"])).stdout), {
    ok: true,
    references: [{ reference: "secret:/good", provider: "file", name: "good" }],
    out,
  });
  await Deno.writeTextFile(document, "a: secret:/gone\n");
  const { ok, failures } = JSON.parse((await run(["--json"])).stdout);
  assert.equal(ok, false);
  assert.equal(failures[0].code, "not_found");
  assert.equal(JSON.parse((await run(["--json", "--what"])).stdout).ok, false);
});

command("the document may come by standard input", async ({ run }) => {
  assert.equal((await run(["--document", "-"], { stdin: '{"a": "secret:/good"}' })).written, `{"a": "${CANARY}"}`);
});

const bad: [string, string[], string, RegExp][] = [
  ["a reference that is malformed", [], "a: secret:/good\nb: secret:/a/../b", /invalid: .*cannot climb/],
  ["a document that is no YAML", [], "a: [", /invalid: Cannot read the document: line 1/],
  ["a document that is not there", ["--document", "/nowhere"], "", /invalid: Cannot read the document \/nowhere/],
  ["a document that is too large", [], " ".repeat(900 * 1024 + 1), /larger than 900 KiB/],
  ["an unknown option", ["--what"], "", /invalid: Cannot understand the options: .*--what/],
  ["a deadline that is no number", ["--deadline", "soon"], "", /--deadline wants whole seconds/],
];
for (const [what, args, text, sentence] of bad) {
  command(`exits with 2 for ${what}`, async ({ document, run }) => {
    await Deno.writeTextFile(document, text);
    const outcome = await run(args);
    assert.equal(outcome.code, 2);
    assert.match(outcome.stderr, sentence);
    assert.equal(outcome.written, undefined);
  });
}

command("exits with 2 for settings that cannot work", async ({ env, document, run }) => {
  await Deno.writeTextFile(document, "a: 1");
  env.SECRETS_MANAGER = "vault";
  assert.match((await run([])).stderr, /unavailable: .*not in this version yet/);
  env.SECRETS_MANAGER = "keychain";
  const outcome = await run([]);
  assert.equal(outcome.code, 2);
  delete env.HYBRID_RUNNER_DOCUMENT;
  assert.match((await run([])).stderr, /HYBRID_RUNNER_DOCUMENT/);
});

command("never resolves a document into itself, nor over a folder", async ({ dir, document, run }) => {
  await Deno.writeTextFile(document, "a: secret:/good\n");
  await Deno.symlink(document, `${dir}/link`);
  for (const out of [document, `${dir}/link`]) assert.equal((await run(["--out", out])).code, 2);
  assert.equal(await Deno.readTextFile(document), "a: secret:/good\n");
  const folder = await run(["--out", `${dir}/out`]);
  assert.equal(folder.code, 2);
  assert.match(folder.stderr, /it is a folder/);
  assert.deepEqual(await names(`${dir}/out`), []);
});

command("exits with 1 where nothing can be written", async ({ dir, document, run }) => {
  await Deno.writeTextFile(document, "a: secret:/good\n");
  const outcome = await run(["--out", `${dir}/no/such/folder/config`]);
  assert.equal(outcome.code, 1);
  assert.match(outcome.stderr, /Cannot write the resolved document to .*the folder must exist/);
});

command("an abort passes as the signal's reason and leaves nothing", async ({ dir, out, document, run }) => {
  await Deno.writeTextFile(out, "earlier");
  await Deno.writeTextFile(document, "a: secret:/good\n");
  const reason = new Error("told to stop");
  await assert.rejects(run([], { signal: AbortSignal.abort(reason) }), (error) => error === reason);
  assert.deepEqual(await names(`${dir}/out`), []);
});

command("--help tells options and exit codes", async ({ run }) => {
  const { code, stdout } = await run(["--help"]);
  assert.equal(code, 0);
  assert.match(stdout, /Exit codes:\n {2}0 .*\n {2}1 .*\n {2}2 /);
});
