/** Starts the wrapper of a run so that it belongs to nobody: neither the runner's end nor its terminal's reaches it. */
import { stripVTControlCharacters } from "node:util";
import { readText } from "./disk.ts";

/** Starts wrappers. */
export interface Launcher {
  /** Resolves when the wrapper was forked off; whether it works shows on disk. */
  launch(name: string): Promise<void>;
  /** What a wrapper that came to nothing left behind, on one line. */
  complaint(name: string): Promise<string>;
}

/** Where the wrappers work, and what runs them. */
export interface LaunchOptions {
  /** The agent's state folder. */
  base: string;
  /** The Deno executable; the running one where absent. */
  denoPath?: string;
  /** The wrapper's program; ours where absent. */
  wrapperPath?: string;
}

/** Launches wrappers of the runs under `base`. */
export function createLauncher(options: LaunchOptions): Launcher {
  const { base, denoPath = Deno.execPath() } = options;
  const wrapper = options.wrapperPath ?? new URL("./wrapper.ts", import.meta.url).href;
  const errors = (name: string) => `${base}/runs/${name}/wrapper.err`;
  return {
    async launch(name) {
      // The shell forks and is gone: the wrapper is then nobody's child, and nobody must wait for it. What it writes
      // goes to a file, since a pipe into a runner that is gone would kill it.
      const { success, stderr } = await new Deno.Command("/bin/sh", {
        args: ["-c", '"$@" </dev/null >/dev/null 2>>"$0" &', errors(name), denoPath, ...FLAGS, wrapper, base, name],
        detached: true,
        stdin: "null",
        stdout: "null",
        stderr: "piped",
      }).output();
      if (!success) throw new Error(`cannot start a process: ${new TextDecoder().decode(stderr).trim()}`);
    },
    async complaint(name) {
      // Colours may have been forced upon the process.
      const text = stripVTControlCharacters(await readText(errors(name)) ?? "");
      const lines = text.split("\n").map((line) => line.trim()).filter((line) => line !== "");
      return lines.find((line) => line.startsWith("error:"))?.slice(0, 500) ?? lines.at(-1)?.slice(0, 500) ?? "";
    },
  };
}

/** A wrapper reads any file and reaches any provider, as a pod's init container would; it never asks. */
const FLAGS = ["run", "--quiet", "--no-prompt", "--allow-all"];
