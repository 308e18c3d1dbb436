/** The folder of runs: creating, looking, claiming, ending, marking. Every step is one atomic call on the disk. */
import { Instant } from "../../../mod/run.ts";
import { exists, isAbsent, namesIn, readJson, readText, removeAll, takeLock, writeOnce, writeWhole } from "./disk.ts";
import { EndedFile, RunFile, type RunLook, RunningFile } from "./files.ts";

/** The folder of runs; `name` is that of a run's folder. */
export interface RunFolder {
  /** The folder itself. */
  readonly path: string;
  /** Names of all runs. */
  names(): Promise<string[]>;
  /** Makes the run; false if there is one of this name. */
  create(name: string, file: RunFile): Promise<boolean>;
  /** What the disk says now; undefined if there is no such run. */
  look(name: string): Promise<RunLook | undefined>;
  /** True for exactly one caller ever: it may run the job, or end it unrun. */
  claim(name: string): Promise<boolean>;
  /** Records why the run is ended from outside; false if somebody did before. */
  endBy(name: string, why: string): Promise<boolean>;
  /** Records that the job's process exists. */
  started(name: string, running: RunningFile): Promise<void>;
  /** Records the terminal state; false if there is one. */
  end(name: string, ended: EndedFile): Promise<boolean>;
  /** Marks the run as told. */
  acknowledge(name: string): Promise<void>;
  /** The lock of a run whose process is gone; undefined while it lives. */
  takeLock(name: string): Promise<Deno.FsFile | undefined>;
  /** Takes the run away in one step. */
  discard(name: string): Promise<void>;
  /** Removes what a crash left half-made. */
  tidy(): Promise<void>;
  /** Tells the engine that something is new. */
  touch(): Promise<void>;
}

/** The runs under `<base>/runs`. */
export function openRuns(base: string): RunFolder {
  const path = `${base}/runs`;
  const at = (name: string, file: string) => `${path}/${name}/${file}`;
  // run.json never changes once the folder has its name; documents are large, so each is parsed once.
  const files = new Map<string, RunFile>();

  const fileOf = async (name: string): Promise<RunFile | undefined> => {
    const known = files.get(name);
    if (known !== undefined && await exists(at(name, "run.json"))) return known;
    const file = await readJson(at(name, "run.json"), RunFile);
    if (file === undefined) files.delete(name);
    else files.set(name, file);
    return file;
  };

  const self: RunFolder = {
    path,
    async names() {
      const names = (await namesIn(path)).filter((name) => !name.startsWith("."));
      const there = new Set(names);
      for (const name of files.keys()) if (!there.has(name)) files.delete(name);
      return names;
    },
    async create(name, file) {
      const draft = `${path}/.draft-${crypto.randomUUID()}`;
      await Deno.mkdir(draft, { mode: 0o700 });
      try {
        await writeWhole(`${draft}/run.json`, JSON.stringify(file));
        if (await exists(`${path}/${name}`)) return false;
        // Renaming onto a folder that is not empty fails: of two that come at once, one wins.
        await Deno.rename(draft, `${path}/${name}`);
        return true;
      } catch (error) {
        if (await exists(at(name, "run.json"))) return false;
        throw error;
      } finally {
        await removeAll(draft);
      }
    },
    async look(name) {
      const file = await fileOf(name);
      if (file === undefined) return undefined;
      // The last file first: a file that is written later is then never seen without those before it.
      const acknowledged = await exists(at(name, "acknowledged"));
      const ended = await readJson(at(name, "ended.json"), EndedFile);
      const endedBy = await readText(at(name, "ended-by"));
      const running = await readJson(at(name, "running.json"), RunningFile);
      const claimed = await exists(at(name, "started"));
      return { name, file, claimed, running, endedBy, ended, acknowledged };
    },
    claim: (name) => writeOnce(at(name, "started"), ""),
    endBy: (name, why) => writeOnce(at(name, "ended-by"), why),
    async started(name, running) {
      await writeWhole(at(name, "running.json"), JSON.stringify(running));
      await self.touch();
    },
    async end(name, ended) {
      const first = await writeOnce(at(name, "ended.json"), JSON.stringify(ended));
      await self.touch();
      return first;
    },
    acknowledge: (name) => writeWhole(at(name, "acknowledged"), ""),
    takeLock: (name) => takeLock(at(name, "lock")),
    async discard(name) {
      const trash = `${path}/.trash-${crypto.randomUUID()}`;
      try {
        await Deno.rename(`${path}/${name}`, trash);
      } catch (error) {
        if (isAbsent(error)) return;
        throw error;
      }
      files.delete(name);
      await removeAll(trash);
    },
    async tidy() {
      for (const name of await namesIn(path)) {
        if (name.startsWith(".draft-") || name.startsWith(".trash-")) await removeAll(`${path}/${name}`);
      }
    },
    touch: () => Deno.writeTextFile(`${path}/.changed`, ""),
  };
  return self;
}

/** The later of now and what came before, as the port's instant: a clock that was set back never reorders a run. */
export function instantAfter(now: number, ...before: (string | undefined)[]): string {
  const times = before.filter((text) => text !== undefined && Instant.safeParse(text).success);
  return new Date(Math.max(now, ...times.map((text) => Date.parse(text ?? "")))).toISOString();
}
