/** The executables: where each begins, and the permissions that are baked into it. */
import { ENVIRONMENT } from "../adapters/settings_table.ts";

export interface Program {
  name: string;
  /** The composition root, relative to the project's root. */
  entry: string;
  /** Flags of `deno compile`; what is not here is denied, and nobody is ever asked. */
  flags: readonly string[];
}

/**
 * What every executable gets. V8 does not see the memory limit of a container, so the heap's own limits are set here;
 * without them thousands of TLS requests grow it to twice the size.
 */
export const COMMON_FLAGS: readonly string[] = [
  "--no-check",
  "--no-code-cache",
  "--v8-flags=--max-semi-space-size=2,--max-old-space-size=96",
  "--no-prompt",
];

/** No subprocess, no native code, no code from elsewhere; an unlisted variable reads as absent instead of failing. */
const NEVER: readonly string[] = ["--ignore-env", "--deny-run", "--deny-ffi", "--deny-import"];

/** By the word that `deno task compile` takes. */
export const PROGRAMS: Readonly<Record<string, Program>> = {
  runner: {
    name: "hybrid-runner",
    entry: "main.ts",
    flags: [
      ...COMMON_FLAGS,
      ...NEVER,
      "--allow-net",
      `--allow-env=${ENVIRONMENT.join(",")}`,
      "--allow-read",
      // The one folder that `resolve` writes to.
      "--allow-write=/hybrid-runner",
    ],
  },
  "control-plane": {
    name: "hybrid-control-plane",
    entry: "control-plane/main.ts",
    flags: [
      ...COMMON_FLAGS,
      ...NEVER,
      "--allow-net",
      // Its settings come by the command line.
      "--allow-env=NO_COLOR",
      "--allow-read",
      // The data folder is chosen at run time: the container's mounts are the boundary.
      "--allow-write",
    ],
  },
};
