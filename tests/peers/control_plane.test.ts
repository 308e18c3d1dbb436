import assert from "node:assert/strict";
import type { Browser, Page } from "playwright-core";
import { connect, type ScriptedRunner } from "../control-plane/support.ts";
import { until } from "../wait.ts";
import { inPage, launch } from "./chromium.ts";

const MAIN = new URL("../../control-plane/main.ts", import.meta.url).pathname;

interface Plane {
  origin: string;
  /** Issues a token, as an administrator would. */
  token(...args: string[]): Promise<string>;
}

/** The real program, with a folder of its own. */
async function withControlPlane(work: (plane: Plane) => Promise<void>): Promise<void> {
  const data = await Deno.makeTempDir({ prefix: "control-plane-page-" });
  const command = (...args: string[]) =>
    new Deno.Command(Deno.execPath(), {
      args: ["run", "--allow-all", MAIN, ...args, "--data", data],
      stdout: "piped",
      stderr: "inherit",
    });
  const process = command("serve", "--listen", "127.0.0.1:0").spawn();
  let ended = false;
  process.status.then(() => ended = true);
  const output = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
  try {
    let text = "";
    while (!text.includes('"listening"') || !text.endsWith("\n")) {
      const { value, done } = await output.read();
      assert.ok(!done, `the control plane ended: ${text}`);
      text += value;
    }
    const token = async (...args: string[]) => {
      const { stdout, success } = await command("token", "issue", ...args).output();
      assert.ok(success);
      return new TextDecoder().decode(stdout).trim();
    };
    const rest = drain(output);
    await work({ origin: /"url":"([^"]+)"/.exec(text)![1]!, token });
    process.kill("SIGTERM");
    await rest;
  } finally {
    // What a failed check has left running.
    if (!ended) process.kill("SIGKILL");
    await process.status;
    await output.cancel();
    await Deno.remove(data, { recursive: true });
  }
}

async function drain(reader: ReadableStreamDefaultReader<string>): Promise<void> {
  while (!(await reader.read()).done);
}

async function signIn(page: Page, token: string): Promise<void> {
  await page.getByLabel("Access token").fill(token);
  await page.getByLabel("Access token").press("Enter");
}

// Chromium's hint that a password form wants a user name, and its word on every refusal, are no errors of ours.
const NOISE = /\[DOM\] Password forms|Failed to load resource/;

async function journey(browser: Browser): Promise<void> {
  await withControlPlane(async (plane) => {
    const operator = await plane.token("--operator", "tester");
    await inPage(browser, plane.origin, async (page, errors) => {
      await signsIn(page, operator);
      await takesFirstSteps(page, plane);
      await deploys(plane.origin, operator);
      await managesPipeline(page);
      await using runner = await connect({ url: plane.origin }, await plane.token("--agent", "berlin"), {
        agentId: "berlin",
      });
      await runner.begin();
      await runsAndStops(page, runner);
      await page.getByRole("button", { name: "Sign out" }).click();
      await page.getByRole("heading", { name: "Sign in" }).waitFor();
      await page.goto("/");
      await page.waitForURL("**/login?next=*");
      assert.deepEqual(errors.splice(0).filter((text) => !NOISE.test(text)), []);
    });
  });
}

async function signsIn(page: Page, token: string): Promise<void> {
  await page.goto("/runners/berlin");
  await page.waitForURL("**/login?next=*");
  await signIn(page, "no-token");
  await page.getByRole("alert").filter({ hasText: "not accepted" }).waitFor();
  await signIn(page, token);
  await page.getByRole("heading", { name: "No such runner" }).waitFor();
}

async function takesFirstSteps(page: Page, { origin, token }: Plane): Promise<void> {
  await page.getByRole("link", { name: "All runners" }).click();
  await page.getByText("No runner has a token yet.").waitFor();
  await page.getByText(`SERVER_URL=${origin.replace("http", "ws")}`).waitFor();
  await token("--agent", "berlin");
  await page.reload();
  await page.getByRole("cell", { name: /Inactive/ }).waitFor();
}

async function deploys(origin: string, operator: string): Promise<void> {
  const put = await fetch(`${origin}/api/v1/pipelines/shop`, {
    method: "PUT",
    headers: { authorization: `Bearer ${operator}`, "content-type": "application/json" },
    body: JSON.stringify({
      ...{ agentId: "berlin", name: "shop <b>metadata</b>", type: "metadata", schedule: "0 4 * * *" },
      document: "source:\n  password: secret:/shop/password\n",
    }),
    signal: AbortSignal.timeout(20_000),
  });
  assert.ok(put.ok, await put.text());
}

async function managesPipeline(page: Page): Promise<void> {
  await page.getByRole("link", { name: "berlin" }).click();
  await page.getByRole("link", { name: "shop <b>metadata</b>" }).click();
  await page.getByText("secret:/shop/password").waitFor();
  await page.getByRole("button", { name: "Disable schedule" }).click();
  await page.getByRole("button", { name: "Enable schedule" }).waitFor();
  await page.getByRole("button", { name: "Run", exact: true }).click();
  await page.locator("#said", { hasText: "the runner berlin is Inactive" }).waitFor();
}

async function runsAndStops(page: Page, runner: ScriptedRunner): Promise<void> {
  await page.locator(".badge", { hasText: "Deployed" }).waitFor();
  await page.getByRole("button", { name: "Run", exact: true }).click();
  await page.waitForURL("**/runs/*");
  await until("the runner is asked", () => runner.called("pipeline.run").length > 0);
  const { runId } = runner.called("pipeline.run")[0];
  const told = { runId, pipelineId: "shop", revision: 2 };
  const received = new Date().toISOString();
  await runner.status({ ...told, state: "queued", times: { received } });
  const reason = { code: "Unschedulable", message: "No node has room." };
  await runner.status({ ...told, state: "queued", note: 1, times: { received }, reason });
  await page.getByText("No node has room.").first().waitFor();
  const times = { received, accepted: received, created: received, started: new Date().toISOString() };
  await runner.status({ ...told, state: "running", times });
  await page.locator("h1 ~ .badge", { hasText: "Running" }).waitFor();

  await until("the log is opened", () => runner.called("log.open").length > 0);
  const { streamId } = runner.called("log.open").at(-1);
  await runner.ask("log.chunk", { streamId, cursor: "c1", lines: ["reading <shop>", "12 tables"] });
  await page.locator("#log").getByText("12 tables").waitFor();
  await runner.ask("log.chunk", { streamId, cursor: "c3", gap: { from: "c1", to: "c3" } });
  await page.locator("#log .gap").waitFor();
  await runner.ask("log.chunk", { streamId, cursor: "c3", end: { reason: "finished" } });
  await page.locator("#log-state", { hasText: "Complete." }).waitFor();

  await page.getByRole("button", { name: "Stop" }).click();
  await until("the runner is told to stop", () => runner.called("run.stop").length > 0);
  await page.getByText("Stop asked for; waiting for the runner").waitFor();
  const finished = new Date().toISOString();
  await runner.status({ ...told, state: "stopped", times: { ...times, finished } });
  await page.locator("h1 ~ .badge", { hasText: "Stopped" }).waitFor();
  await page.getByRole("button", { name: "Stop" }).waitFor({ state: "detached" });
}

Deno.test({
  name: "the real control plane in Chromium: signing in, the first steps, a pipeline, Run and Stop, signing out",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    const browser = await launch();
    try {
      await journey(browser);
    } finally {
      await browser.close();
    }
  },
});
