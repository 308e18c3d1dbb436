/**
 * The local engine: runs jobs as processes of this machine, for development, demo and tests, with the contract that the
 * cluster engines answer. Its truth is a folder (files.ts); runs go on while the runner is away, schedules do not.
 */
import { createKeyed } from "../../../mod/keyed.ts";
import { agentHash } from "../../../mod/names.ts";
import type { Clock, Engine, EngineLogs, Log } from "../../../mod/ports.ts";
import { createFeed } from "../feed.ts";
import { writeWhole } from "./disk.ts";
import { type Command, settingsPath, type WrapperSecrets, type WrapperSettings } from "./files.ts";
import { guarded } from "./guard.ts";
import { createHealer } from "./heal.ts";
import { createLauncher } from "./launch.ts";
import { startLoop, watchFolder } from "../loop.ts";
import { openPipelines } from "./pipelines.ts";
import { memoryPrefix } from "./private.ts";
import { openRuns } from "./runs.ts";
import { createSlots } from "../slots.ts";
import { createStarter } from "./start.ts";
import { openState } from "./state.ts";
import { createSupervisor } from "./supervisor.ts";
import { createVerbs } from "./verbs.ts";

/** What the engine is made of. */
export interface LocalEngineOptions {
  /** Whose runs and pipelines these are. */
  agentId: string;
  /** Kept between starts; one folder per agent is made in it. */
  stateDir: string;
  /** What runs the jobs, by pipeline type; `default` for the types without a row. From local settings only. */
  commands: Record<string, Command>;
  /** The secrets provider's settings by their environment names; the wrappers resolve with it. */
  secrets: WrapperSecrets;
  /** Tells the time, and waits. */
  clock: Clock;
  /** Gets what goes wrong without ending anything. */
  log: Log;
  /** How long an acknowledged run is kept after its end; 600 where absent. */
  ttlSeconds?: number;
  /** Between SIGTERM and SIGKILL; 10 where absent. */
  graceSeconds?: number;
  /** Runs that may be live at the same time; no limit where absent. */
  maxRuns?: number;
  /** The Deno executable that runs the wrappers; the running one where absent. */
  denoPath?: string;
  /** The wrapper's program; the one beside this module where absent. */
  wrapperPath?: string;
}

/** The engine with its logs, and the way to be rid of it. */
export interface LocalEngine extends Engine, EngineLogs, AsyncDisposable {
  /** Ends loops and watches and gives the folder back. Runs go on. */
  close(): Promise<void>;
}

/** Changes are watched; this look is for those that the watch does not see. */
const LOOK_MS = 2_000;

/**
 * Opens the engine on its folder. Faults: `conflict` (another runner has the folder), `unavailable` (this program may
 * not start processes, or cannot write the folder).
 */
export async function createLocalEngine(options: LocalEngineOptions): Promise<LocalEngine> {
  const folder = `${options.stateDir}/${agentHash(options.agentId)}`;
  const lock = await openState(folder);
  try {
    return await guarded("open the local engine", async () => assemble(options, await Deno.realPath(folder), lock));
  } catch (error) {
    lock.close();
    throw error;
  }
}

async function assemble(options: LocalEngineOptions, base: string, lock: Deno.FsFile): Promise<LocalEngine> {
  const { agentId, commands, clock, log, ttlSeconds = 600, graceSeconds = 10, maxRuns = Infinity } = options;
  const settings: WrapperSettings = {
    ...{ commands, secrets: options.secrets, graceSeconds, memoryPrefix: await memoryPrefix(base) },
  };
  await writeWhole(settingsPath(base), JSON.stringify(settings));
  const runs = openRuns(base);
  await runs.tidy();
  const pipelines = openPipelines(base, agentId, log);
  const launcher = createLauncher({ base, denoPath: options.denoPath, wrapperPath: options.wrapperPath });

  const ending = new AbortController();
  const life = ending.signal;
  const feed = createFeed();
  const perPipeline = createKeyed();
  const shared = { runs, launcher, feed, clock, log, life, memoryPrefix: settings.memoryPrefix };
  await createHealer(shared).cleanAll();
  const supervisor = createSupervisor({ ...shared, ttlSeconds, maxRuns });
  const start = await createStarter({ agentId, runs, pipelines, commands, clock });

  const isRunningSlot = async (pipelineId: string) => {
    await supervisor.scan(life);
    return supervisor.isRunningSlot(pipelineId);
  };
  const slots = createSlots({
    agentId,
    pipelines,
    clock,
    log,
    feed,
    perPipeline,
    life,
    isRunningSlot,
    start: ringing(start),
  });
  const look = () => supervisor.scan(life).then(() => LOOK_MS);
  const runLoop = startLoop({ name: "local-engine-runs", clock, log, life, round: look });
  const slotLoop = startLoop({ name: "local-engine-slots", clock, log, life, round: () => slots.round() });
  watchFolder(runs.path, runLoop.ring, log, life);

  function ringing<A, T>(work: (asked: A) => Promise<T>): (asked: A) => Promise<T> {
    return (asked) => work(asked).finally(() => runLoop.ring());
  }

  const verbs = createVerbs({
    ...{ agentId, runs, pipelines, supervisor, feed, perPipeline, clock, life },
    start: ringing(start),
    rescheduled: () => slotLoop.ring(),
    trouble: () => runLoop.trouble() ?? slotLoop.trouble(),
  });
  const close = async () => {
    if (life.aborted) return;
    ending.abort(new Error("the engine was closed"));
    await Promise.all([runLoop.done, slotLoop.done, slots.settled()]);
    lock.close();
  };
  return { ...verbs, close, [Symbol.asyncDispose]: close };
}
