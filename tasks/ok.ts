/** `deno task ok`: everything that must hold before a change is good, one verdict at the end. */

interface Step {
  name: string;
  args: string[];
}

const STEPS: readonly Step[] = [
  { name: "formatting", args: ["fmt", "--check", "--quiet"] },
  { name: "lint", args: ["lint", "--quiet"] },
  { name: "types", args: ["check", "--quiet", "."] },
  { name: "docstrings", args: ["run", "--allow-read", "--allow-run", "tasks/docstrings.ts"] },
  { name: "schema", args: ["run", "--allow-read", "tasks/schema.ts", "--check"] },
  { name: "tests", args: ["task", "--quiet", "test"] },
];

if (import.meta.main) Deno.exit(await ok(!Deno.args.includes("--without-tests")));

/** Without the tests for CI, which runs them as a step of their own. Runs every step, also after one that fails, so that one look shows all that is wrong. */
async function ok(withTests: boolean): Promise<number> {
  const failed: string[] = [];
  for (const { name, args } of STEPS) {
    if (name === "tests" && !withTests) continue;
    const began = performance.now();
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args,
      cwd: new URL("..", import.meta.url),
      stdout: "piped",
      stderr: "piped",
    }).output();
    const took = ((performance.now() - began) / 1000).toFixed(1);
    say(`${success ? "ok    " : "FAILED"} ${name} (${took} s)`);
    if (success) continue;
    failed.push(name);
    await Deno.stdout.write(stdout);
    await Deno.stderr.write(stderr);
  }
  say(failed.length === 0 ? "ok" : `not ok: ${failed.join(", ")}`);
  return failed.length === 0 ? 0 : 1;
}

function say(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}
