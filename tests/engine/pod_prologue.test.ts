/** What runs before OpenMetadata's entry points, in a real Python; where there is none, only its text is looked at. */
import assert from "node:assert/strict";
import { PROLOGUE } from "../../adapters/engine/pod/main_container.ts";
import { inFolder } from "../folder.ts";
import { test } from "../limited.ts";

const python = await works("python3");

test("pod prologue: it is one line that neither Argo nor Kubernetes fills anything in", () => {
  assert(!/\{\{|\$\(|\n/.test(PROLOGUE));
});

for (const [name, args] of [["a script", ["main.py", "--x"]], ["a module", ["-m", "pkg.runner", "--x"]]] as const) {
  test(`pod prologue: ${name} finds a document larger than one variable of a new process can be`, async () => {
    await inFolder(async (folder) => {
      const text = `a: "${"ä".repeat(200_000)}"\r\nb: 1\n`;
      await Deno.writeTextFile(`${folder}/config`, text);
      const program = "import os,sys,json;print(json.dumps([__name__,sys.argv[1:],os.environ['config']]))";
      await Deno.mkdir(`${folder}/pkg`);
      await Deno.writeTextFile(`${folder}/pkg/__init__.py`, "");
      await Deno.writeTextFile(`${folder}/pkg/runner.py`, program);
      await Deno.writeTextFile(`${folder}/main.py`, program);
      const code = PROLOGUE.replace("/hybrid-runner/config", `${folder}/config`);
      const { stdout, stderr, success } = await new Deno.Command("python3", {
        args: ["-c", code, ...args],
        cwd: folder,
      })
        .output();
      assert(success, new TextDecoder().decode(stderr));
      assert.deepEqual(JSON.parse(new TextDecoder().decode(stdout)), ["__main__", ["--x"], text]);
    });
  }, { ignore: !python });
}

async function works(command: string): Promise<boolean> {
  try {
    return (await new Deno.Command(command, { args: ["--version"], stdout: "null", stderr: "null" }).output()).success;
  } catch {
    return false;
  }
}
