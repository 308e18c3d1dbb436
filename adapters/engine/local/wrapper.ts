/**
 * The wrapper: a program of its own that runs one run, `wrapper.ts <state folder> <run's name>`. It outlives the runner
 * that started it, resolves the secret references (the runner never holds a value), and tells everything by files.
 *
 * Its lock comes before its claim: a run that is claimed, has no terminal state, and whose lock is free, has lost its
 * wrapper. Without the lock there would be a moment in which a living wrapper looks like a dead one.
 */
import { systemClock } from "../../clock.ts";
import { readJson, takeLock } from "./disk.ts";
import { type EndedBy, endedFrom, execute } from "./execute.ts";
import { mutexPath, type RunLook, settingsPath, WrapperSettings } from "./files.ts";
import { instantAfter, openRuns, type RunFolder } from "./runs.ts";

/** How often the wrapper looks whether it is to end the run. */
const LOOK_MS = 200;

/** How long the end of a run waits for a disk that takes nothing. */
const END_PATIENCE_MS = 600_000;

if (import.meta.main) {
  const [base, name] = Deno.args;
  if (base === undefined || name === undefined) throw new TypeError("usage: wrapper.ts STATE-FOLDER RUN-NAME");
  await main(base, name);
  // A provider may hold connections open; everything that matters is on disk.
  Deno.exit(0);
}

async function main(base: string, name: string): Promise<void> {
  const settings = await readJson(settingsPath(base), WrapperSettings);
  if (settings === undefined) throw new Error(`${settingsPath(base)} is missing`);
  const runs = openRuns(base);
  // Both locks are given back by the end of the process.
  const lock = await patiently(() => runs.takeLock(name), 2_000);
  const look = lock && await runs.look(name);
  if (!look || look.claimed || look.endedBy !== undefined) return;
  const isExclusive = look.file.job.maxActiveRuns === 1;
  const mutex = isExclusive && await patiently(() => takeLock(mutexPath(base, look.file.pipelineId)), 10_000);
  if (mutex === undefined) throw new Error("another run of the pipeline still holds its mutex");
  if (!await runs.claim(name)) return;
  await runs.touch();
  await run(runs, look, settings);
}

async function run(runs: RunFolder, look: RunLook, settings: WrapperSettings): Promise<void> {
  const { name, file } = look;
  const stop = new AbortController();
  const askEnd = async (why: EndedBy) => {
    await runs.endBy(name, why).catch(() => {});
    // The first one on disk counts, whoever wrote it.
    const now = await runs.look(name).catch(() => undefined);
    stop.abort(now?.endedBy ?? why);
  };
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) Deno.addSignalListener(signal, () => askEnd("stop"));
  const watch = setInterval(async () => {
    const now = await runs.look(name).catch(() => look);
    // A folder that is gone is an order to end too.
    if (now === undefined || now.endedBy !== undefined) stop.abort(now?.endedBy ?? "stop");
  }, LOOK_MS);

  let started: string | undefined;
  const over = new AbortController();
  const onStart = async () => {
    started = instantAfter(Date.now(), file.created);
    if (file.job.deadlineSeconds !== undefined) {
      // Not setTimeout itself, for which more than 24 days are none.
      systemClock.sleep(file.job.deadlineSeconds * 1000, over.signal).then(() => askEnd("deadline"), () => {});
    }
    await runs.started(name, { started }).catch(() => {});
  };
  const verdict = await execute({ look, settings, runs, stop: stop.signal, onStart }).catch((error) => {
    if (stop.signal.aborted) return endedFrom(stop.signal, settings);
    const what = error instanceof Error ? error.name : typeof error;
    return {
      state: "failed" as const,
      reason: { code: "WrapperFailed", message: `The job's wrapper failed: ${what}` },
    };
  });
  clearInterval(watch);
  over.abort();
  const times = { ...(started ? { started } : {}), finished: instantAfter(Date.now(), file.created, started) };
  // A disk that is full may have room again: a good run is not to be told as lost. A folder that was taken away has
  // nobody to be told.
  await patiently(async () => {
    try {
      await runs.end(name, { ...verdict, ...times });
      return true;
    } catch {
      return (await runs.names()).includes(name) ? undefined : true;
    }
  }, END_PATIENCE_MS);
}

async function patiently<T>(attempt: () => Promise<T | undefined>, ms: number): Promise<T | undefined> {
  for (const until = Date.now() + ms;;) {
    const result = await attempt();
    if (result !== undefined || Date.now() >= until) return result;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
