/** A process's memory, as Linux counts it (proc_pid_status(5)). */

/** The highest resident set so far. */
export function highWaterMib(pid: number): Promise<number> {
  return mib(pid, "VmHWM");
}

/** The resident set now. */
export function residentMib(pid: number): Promise<number> {
  return mib(pid, "VmRSS");
}

async function mib(pid: number, name: string): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  const kib = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(status)?.[1];
  if (kib === undefined) throw new Error(`Cannot tell the memory of process ${pid}: there is no ${name}`);
  return Number(kib) / 1024;
}
