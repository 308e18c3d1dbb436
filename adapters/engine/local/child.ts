/** One process of a job, in a process group of its own that never outlives the wrapper. */
import type { Command } from "./files.ts";

/** What to run, and how to be rid of it. */
export interface ChildOptions {
  /** From local settings. */
  command: Command;
  /** The whole environment: nothing is inherited. */
  env: Record<string, string>;
  /** Aborted: SIGTERM to the group, SIGKILL after the grace. */
  stop: AbortSignal;
  /** Between SIGTERM and SIGKILL. */
  graceMs: number;
  /** Reads one output stream to its end. */
  read(stream: ReadableStream<Uint8Array>): Promise<void>;
  /** Called once the process exists. */
  onStart(): Promise<void>;
}

/** How it went. */
export interface ChildOutcome {
  /** 128 + n for signal n. */
  exitCode: number;
  /** What killed it, if a signal did. */
  signal?: string;
  /** The stop was asked before the process ended, so that its exit code is not its own word. */
  stopped: boolean;
}

/** How long output may still come after the process and its group are gone, from a process that left the group. */
const DRAIN_MS = 5_000;

/** Runs it to its end. Throws what `Deno.Command` throws where the program cannot be started. */
export async function runChild(options: ChildOptions): Promise<ChildOutcome> {
  const { command, env, stop, graceMs } = options;
  const child = new Deno.Command(command.command, {
    args: command.args,
    env,
    clearEnv: true,
    detached: true,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const guard = guardGroup(child.pid);
  let stopped = false;
  let kill: ReturnType<typeof setTimeout> | undefined;
  const onStop = () => {
    stopped = true;
    signalGroup(child.pid, "SIGTERM");
    kill = setTimeout(() => signalGroup(child.pid, "SIGKILL"), graceMs);
  };
  stop.addEventListener("abort", onStop, { once: true });
  if (stop.aborted) onStop();

  const { readable: stdout, end: endOut } = endable(child.stdout);
  const { readable: stderr, end: endErr } = endable(child.stderr);
  const output = Promise.all([options.read(stdout), options.read(stderr)]);
  // Output that nobody takes any more would block the job for ever.
  output.catch(() => signalGroup(child.pid, "SIGKILL"));
  try {
    await options.onStart();
    const status = await child.status;
    stop.removeEventListener("abort", onStop);
    // As in a container: when the main process is gone, so is everything that it left behind.
    signalGroup(child.pid, "SIGKILL");
    const drained = setTimeout(() => (endOut(), endErr()), DRAIN_MS);
    await output.finally(() => clearTimeout(drained));
    return { exitCode: status.code, signal: status.signal ?? undefined, stopped };
  } finally {
    signalGroup(child.pid, "SIGKILL");
    clearTimeout(kill);
    await guard.dismiss();
  }
}

/**
 * A shell that waits for the end of its input, which is the wrapper's end however it goes, and then kills the job's
 * group: a wrapper killed with -9 leaves no job behind that nobody watches.
 */
function guardGroup(pid: number): { dismiss(): Promise<void> } {
  const guard = new Deno.Command("/bin/sh", {
    args: ["-c", `read _; kill -s KILL -- -${pid}`],
    clearEnv: true,
    detached: true,
    stdin: "piped",
    stdout: "null",
    stderr: "null",
  }).spawn();
  return {
    async dismiss() {
      try {
        guard.kill("SIGKILL");
      } catch {
        // Gone already.
      }
      await guard.status;
      await guard.stdin.close().catch(() => {});
    },
  };
}

function signalGroup(pid: number, signal: Deno.Signal): void {
  try {
    Deno.kill(-pid, signal);
  } catch {
    // The group is gone.
  }
}

/** The same stream, with an end that can be brought about. */
function endable(stream: ReadableStream<Uint8Array>): { readable: ReadableStream<Uint8Array>; end(): void } {
  const controller = new AbortController();
  const through = new TransformStream<Uint8Array, Uint8Array>();
  stream.pipeTo(through.writable, { signal: controller.signal, preventAbort: true }).catch(() =>
    through.writable.close().catch(() => {})
  );
  return { readable: through.readable, end: () => controller.abort() };
}
