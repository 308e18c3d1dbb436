import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { ASKED, DONE, FAILED, PAGES, RUNNING } from "../web/scene.ts";
import { until } from "../wait.ts";
import { inPage } from "./chromium.ts";
import { type Check, scripted, type World } from "./scripted.ts";

const ADDRESSES = [...PAGES, "/login?failed"];

const CHECKS: readonly Check[] = [
  ["no page breaks the content security policy, or complains", noComplaints],
  ["no page is wider than a screen of 320 px, in the dark either", fitsNarrow],
  ["Run asks for a run and opens it", runs],
  ["Stop, and disabling, ask for just that", stopsAndToggles],
  ["a refusal is told in the server's words", refusal],
  ["a change shows without a reload, is said, and leaves the focus where it was", changes],
  ["a row that comes in between takes no other's focus", rowsKeepFocus],
  ["a session that ended, and a thing that was deleted, are told once and left alone", over],
  ["a lost link is told, and what changed meanwhile is caught up", lostLink],
  ["the running stage grows by itself", grows],
  ["everything is reached and used by keyboard alone", keyboard],
  ["tables keep their meaning as cards", cards],
  ["without JavaScript everything can be read, and no dead button shows", noScript],
];

scripted("the web page in Chromium", CHECKS);

async function noComplaints({ browser, server }: World): Promise<void> {
  for (const colorScheme of ["light", "dark"] as const) {
    await inPage(browser, server.origin, async (page) => {
      for (const path of ADDRESSES) {
        await page.goto(path);
        await page.locator("main").waitFor();
        if (!path.startsWith("/login")) await until("the page listens", () => server.listeners() > 0);
      }
    }, { colorScheme });
  }
}

async function fitsNarrow({ browser, server }: World): Promise<void> {
  server.scene.runners[0]!.agentId = "x".repeat(120);
  server.scene.runs[0]!.agentId = "x".repeat(120);
  await inPage(browser, server.origin, async (page) => {
    for (const path of ADDRESSES.filter((path) => path !== "/runners/berlin")) {
      await page.goto(path);
      const over = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth");
      assert.equal(over, 0, `${path} is ${over} px too wide`);
    }
  }, { colorScheme: "dark", viewport: { width: 320, height: 700 } });
}

async function runs({ browser, server }: World): Promise<void> {
  server.answer = () => Response.json({ runId: ASKED }, { status: 202 });
  await inPage(browser, server.origin, async (page) => {
    await page.goto("/pipelines/warehouse_metadata");
    await page.getByRole("button", { name: "Run" }).click();
    await page.waitForURL(`**/runs/${ASKED}`);
  });
  assert.deepEqual(server.asked, [{ path: "/api/v1/pipelines/warehouse_metadata/runs", body: "" }]);
}

async function stopsAndToggles({ browser, server }: World): Promise<void> {
  await inPage(browser, server.origin, async (page) => {
    await page.goto(`/runs/${RUNNING}`);
    await page.getByRole("button", { name: "Stop" }).click();
    await page.locator("#said", { hasText: "Stop asked for." }).waitFor();
    server.scene.runs[0]!.stopRequested = true;
    server.tell({ event: "run", data: server.scene.runs[0]! });
    await page.getByText("waiting for the runner").waitFor();

    await page.goto("/pipelines/warehouse_metadata");
    await page.getByRole("button", { name: "Disable schedule" }).click();
    await page.locator("#said", { hasText: "Disabled." }).waitFor();
  });
  assert.deepEqual(server.asked, [
    { path: `/api/v1/runs/${RUNNING}/stop`, body: "" },
    { path: "/api/v1/pipelines/warehouse_metadata/toggle", body: '{"enabled":false}' },
  ]);
}

async function refusal({ browser, server }: World): Promise<void> {
  const detail = 'Cannot run pipeline "warehouse metadata": runner "berlin" is Inactive. <b>Start it.</b>';
  server.answer = () =>
    Response.json({ title: "Unavailable", detail }, {
      status: 503,
      headers: { "content-type": "application/problem+json" },
    });
  await inPage(browser, server.origin, async (page, errors) => {
    await page.goto("/pipelines/warehouse_metadata");
    await page.getByRole("button", { name: "Run" }).click();
    await page.getByRole("status").filter({ hasText: detail }).waitFor();
    // Chromium itself tells of every answer above 399.
    assert.match(errors.splice(0).join(), /503/);
  });
}

async function changes({ browser, server }: World): Promise<void> {
  await inPage(browser, server.origin, async (page) => {
    await page.goto("/");
    await until("the page listens", () => server.listeners() > 0);
    await page.evaluate("document.documentElement.dataset.loaded = 'once'");
    await page.getByRole("link", { name: "oslo" }).focus();
    const oslo = server.scene.runners[1]!;
    Object.assign(oslo, { status: "Active", reason: "Two instances." });
    server.tell({ event: "runner", data: oslo });
    await page.getByText("2 of 2 active").waitFor();
    await page.getByText("Two instances.").waitFor();
    await page.locator("#said", { hasText: "Runner oslo: Active." }).waitFor();
    assert.equal(await page.evaluate("document.activeElement.textContent"), "oslo");
    assert.equal(await page.evaluate("document.documentElement.dataset.loaded"), "once");
  });
}

async function rowsKeepFocus({ browser, server }: World): Promise<void> {
  await inPage(browser, server.origin, async (page) => {
    await page.goto("/pipelines/warehouse_metadata");
    await until("the page listens", () => server.listeners() > 0);
    await page.getByRole("link", { name: FAILED.slice(0, 8) }).focus();
    const { scene: { runs } } = server;
    runs.push({ ...runs[0]!, runId: ASKED.replaceAll("3", "9"), requestedAt: new Date().toISOString() });
    runs.splice(runs.findIndex(({ runId }) => runId === DONE), 1);
    server.tell({ event: "run", data: runs.at(-1)! });
    await page.getByRole("rowheader", { name: "9e4f5061" }).waitFor();
    assert.deepEqual(await page.getByRole("rowheader").allTextContents(), ["9e4f5061", "0b9f1c52", "1c2d3e4f"]);
    assert.equal(await focused(page), FAILED.slice(0, 8));
  });
}

async function over({ browser, server }: World): Promise<void> {
  await inPage(browser, server.origin, async (page, errors) => {
    await page.goto(`/runs/${DONE}`);
    await until("the page listens", () => server.listeners() > 0);
    const [gone] = server.scene.runs.splice(server.scene.runs.findIndex(({ runId }) => runId === DONE), 1);
    server.tell({ event: "run", data: gone! });
    await page.getByRole("status").filter({ hasText: "This was deleted" }).waitFor();
    assert.match(errors.splice(0).join(), /404/);
    await page.getByRole("heading", { name: "Timeline" }).waitFor();

    await page.goto("/runners/oslo");
    await until("the page listens", () => server.listeners() > 0);
    server.signedOut = true;
    server.cut();
    await page.getByRole("status").filter({ hasText: "Your session has ended" }).waitFor();
    await page.getByRole("heading", { name: "oslo" }).waitFor();
    await until("it no longer asks", () => server.listeners() === 0);
    errors.splice(0);
  });
}

async function lostLink({ browser, server }: World): Promise<void> {
  await inPage(browser, server.origin, async (page) => {
    await page.goto("/runners/berlin");
    await until("the page listens", () => server.listeners() > 0);
    server.scene.runners[0]!.inFlight = 77;
    server.cut();
    await page.getByRole("status").filter({ hasText: "link to the control plane is lost" }).waitFor();
    await page.getByText("77").waitFor();
    await until("the page listens again", () => server.listeners() > 0);
    await page.locator("#link").waitFor({ state: "hidden" });
  });
}

async function grows({ browser, server }: World): Promise<void> {
  await inPage(browser, server.origin, async (page) => {
    await page.goto(`/runs/${RUNNING}`);
    const width = async () => parseFloat(await page.locator(".going").getAttribute("width") ?? "");
    // Once for the page being brought up to date as its link opens, and then by time alone.
    for (let times = 0; times < 3; times++) {
      const before = await width();
      await until("the bar is wider", async () => await width() > before);
    }
    await page.getByRole("img", { name: /^Timeline of the run: .*Running$/ }).waitFor();
  });
}

async function keyboard({ browser, server }: World): Promise<void> {
  await inPage(browser, server.origin, async (page) => {
    await page.goto(`/runs/${RUNNING}`);
    await page.keyboard.press("Tab");
    assert.equal(await focused(page), "Skip to the content");
    await page.keyboard.press("Enter");
    assert.equal(await page.evaluate("document.activeElement.id"), "main");
    const reached: string[] = [];
    for (let presses = 0; presses < 30 && reached.at(-1) !== "Statuses as they were told (4)"; presses++) {
      await page.keyboard.press("Tab");
      reached.push(await focused(page));
      assert.notEqual(
        await page.evaluate("getComputedStyle(document.activeElement).outlineStyle"),
        "none",
        reached.at(-1),
      );
    }
    for (
      const name of ["berlin", "warehouse metadata", "Stop", "Plain text", "#log", "Statuses as they were told (4)"]
    ) {
      assert.ok(reached.includes(name), `${name} is not among ${reached.join(", ")}`);
    }
    // Opens the details, which stay open when the page is made fresh.
    await page.keyboard.press("Enter");
    await page.getByRole("cell", { name: "The image is being pulled" }).waitFor();
    server.scene.runs[0]!.timeline.push({ ...server.scene.runs[0]!.timeline[2]!, note: 3 });
    server.tell({ event: "run", data: server.scene.runs[0]! });
    await page.getByText("Statuses as they were told (5)").waitFor();
    assert.equal(await page.locator("#told").evaluate((details) => details.hasAttribute("open")), true);

    await page.getByRole("button", { name: "Stop" }).focus();
    await page.keyboard.press("Space");
    await until("the stop is asked for", () => server.asked.length === 1);
    assert.equal(await focused(page), "Stop");
  });
}

function focused(page: Page): Promise<string> {
  return page.evaluate("document.activeElement.id === 'log' ? '#log' : document.activeElement.textContent.trim()");
}

async function cards({ browser, server }: World): Promise<void> {
  await inPage(browser, server.origin, async (page) => {
    await page.goto("/");
    await page.getByRole("table", { name: "Runners" }).waitFor();
    await page.getByRole("rowheader", { name: "berlin" }).waitFor();
    const row = page.getByRole("row").filter({ has: page.getByRole("rowheader", { name: "oslo" }) });
    await row.getByRole("cell", { name: /Inactive/ }).waitFor();
    assert.equal(await page.getByRole("table", { name: "Runners" }).getByRole("columnheader").count(), 7);
  }, { viewport: { width: 400, height: 800 } });
}

async function noScript({ browser, server }: World): Promise<void> {
  await inPage(browser, server.origin, async (page) => {
    await page.goto("/pipelines/warehouse_metadata");
    await page.getByText("Without JavaScript").waitFor();
    assert.equal(await page.getByRole("button").count(), 0);
    await page.goto(`/runs/${FAILED}`);
    await page.getByText("sampling table events").waitFor();
    await page.getByRole("link", { name: "Plain text" }).waitFor();
    assert.equal(await page.locator("#log").isVisible(), false);
  }, { javaScriptEnabled: false });
}
