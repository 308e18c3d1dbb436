/** A journey: both programs as real processes, a proxy between them, and what is to be cleaned away at the end. */
import { type FakeControlPlane, type FakeControlPlaneOptions, startControlPlane } from "../fakes/control_plane.ts";
import { type ControlPlane, controlPlaneOn, type Runner, runnerOn } from "./programs.ts";
import { type Proxy, startProxy } from "./proxy.ts";
import { createRest, type Rest } from "./rest.ts";
import { within } from "../wait.ts";

/** What a journey is given. */
export interface World {
  /** The journey's own folder: the runner's files, the ledger, gates. */
  readonly folder: string;
  readonly agentId: string;
  readonly rest: Rest;
  readonly controlPlane: ControlPlane;
  /** Between the runner and the control plane. */
  readonly proxy: Proxy;
  readonly runner: Runner;
  /** Another runner; ends with the journey. */
  addRunner(settings: RunnerOverrides): Promise<Runner>;
  /** A file that jobs wait for; `open` makes it. */
  gate(name: string): { path: string; open(): Promise<void> };
  /** One line about what was measured, printed when the journey has ended well. */
  measured(text: string): void;
}

const LIMIT_MS = 150_000;

/** What of a runner's settings a journey sets itself. */
export type RunnerOverrides = Partial<Parameters<typeof runnerOn>[0]>;

/** A test of both programs, started and connected before `body` runs. What they wrote is shown if it fails. */
export function journey(name: string, body: (world: World) => Promise<void>, overrides: RunnerOverrides = {}): void {
  test(name, async ({ folder, runners, cleanup, ...common }) => {
    const controlPlane = controlPlaneOn(`${folder}/control-plane`);
    cleanup(() => controlPlane.program().kill(), controlPlane.output);
    await controlPlane.start();
    const proxy = startProxy({ hostname: "127.0.0.1", port: controlPlane.port() });
    cleanup(() => proxy[Symbol.asyncDispose]());
    const addRunner: World["addRunner"] = async (settings) => {
      const token = settings.token ?? await controlPlane.issue(settings.agentId ?? AGENT_ID);
      return await runners({ port: proxy.port, ...settings, token });
    };
    const runner = await addRunner(overrides);
    await runner.start();
    const rest = createRest(controlPlane.address, AGENT_ID);
    await rest.runnerIs(AGENT_ID, "Active");
    await body({ ...common, folder, agentId: AGENT_ID, controlPlane, proxy, runner, rest, addRunner });
  });
}

/** What a journey against a scripted control plane is given. */
export interface ScriptedWorld extends Pick<World, "folder" | "runner" | "gate" | "measured"> {
  fake: FakeControlPlane;
}

/** A test of the runner against a control plane that the test scripts. */
export function scripted(
  name: string,
  body: (world: ScriptedWorld) => Promise<void>,
  options: FakeControlPlaneOptions = {},
  overrides: RunnerOverrides = {},
): void {
  test(name, async ({ folder, runners, cleanup, ...common }) => {
    const fake = startControlPlane(options);
    cleanup(() => fake[Symbol.asyncDispose]());
    const runner = await runners({ port: fake.port, token: "scripted", ...overrides });
    await runner.start();
    await within("a session with its snapshots", fake.session());
    await body({ ...common, folder, fake, runner });
  });
}

const AGENT_ID = "journeys";

interface Stage extends Pick<World, "folder" | "gate" | "measured"> {
  runners(settings: RunnerOverrides & { port: number; token: string }): Promise<Runner>;
  /** Done at the end, the latest first; `output` is shown if the journey fails. */
  cleanup(end: () => PromiseLike<void>, output?: () => string): void;
}

function test(name: string, body: (stage: Stage) => Promise<void>): void {
  Deno.test({ name: `journey: ${name}`, sanitizeOps: true, sanitizeResources: true, sanitizeExit: true }, async () => {
    const folder = await Deno.makeTempDir({ prefix: "journey-" });
    const measured: string[] = [];
    const ends: { end: () => PromiseLike<void>; output?: (() => string) | undefined }[] = [];
    const stage: Stage = {
      folder,
      measured: (text) => void measured.push(text),
      cleanup: (end, output) => void ends.push({ end, output }),
      gate: (name) => {
        const path = `${folder}/gate-${name}`;
        return { path, open: () => Deno.writeTextFile(path, "") };
      },
      async runners(settings) {
        const runner = await runnerOn({ agentId: AGENT_ID, folder, ...settings });
        stage.cleanup(() => runner.program().kill(), runner.output);
        return runner;
      },
    };
    try {
      await within(`the end of the journey "${name}"`, body(stage), LIMIT_MS);
    } catch (error) {
      for (const { output } of ends) if (output) show(output());
      throw error;
    } finally {
      for (const { end } of ends.toReversed()) await quietly(end);
      // Wrappers belong to nobody; a state folder that is gone is their order to end.
      await removeFolder(folder);
    }
    // deno-lint-ignore no-console
    for (const line of measured) console.log(`${name}: ${line}`);
  });
}

async function quietly(end: () => PromiseLike<void>): Promise<void> {
  try {
    await end();
  } catch {
    // It was never started.
  }
}

/** A wrapper may still write while the folder is taken away under it. */
async function removeFolder(folder: string): Promise<void> {
  for (let tries = 0;; tries++) {
    try {
      return await Deno.remove(folder, { recursive: true });
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return;
      if (tries > 50) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

function show(output: string): void {
  const lines = output.split("\n");
  // deno-lint-ignore no-console
  console.error(`──── the last of ${lines.length} lines ────\n${lines.slice(-80).join("\n")}`);
}
