/** Opens the engine's folder for one engine alone. */
import { Fault } from "../../../mod/fault.ts";
import { takeLock } from "./disk.ts";
import { guarded } from "./guard.ts";

/** Makes the folders and takes the engine's lock. Faults: `conflict`, `unavailable`. */
export async function openState(base: string): Promise<Deno.FsFile> {
  await checkRights();
  return await guarded(`open the local engine's folder ${base}`, async () => {
    for (const folder of ["pipelines", "mutexes", "runs"]) {
      await Deno.mkdir(`${base}/${folder}`, { recursive: true, mode: 0o700 });
    }
    const lock = await takeLock(`${base}/engine.lock`);
    if (lock !== undefined) return lock;
    const reason =
      "another runner of the same agentId works on it; stop that one, or give this one a folder of its own";
    throw new Fault("conflict", `Cannot open the local engine's folder ${base}: ${reason}`);
  });
}

async function checkRights(): Promise<void> {
  const refuse = (reason: string): never => {
    throw new Fault("unavailable", `Cannot use the local engine: ${reason}`);
  };
  if (Deno.build.standalone) refuse("the compiled program cannot start processes; run main.ts with `deno run -A`");
  if (Deno.build.os === "windows") refuse("it needs process groups and file locks as Linux and macOS have them");
  const { state } = await Deno.permissions.query({ name: "run" });
  if (state !== "granted") refuse("this program may not start processes; run it with --allow-run");
}
