import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { RUNNING } from "../web/scene.ts";
import { until } from "../wait.ts";
import { inPage } from "./chromium.ts";
import { type Check, scripted, type World } from "./scripted.ts";

const CHECKS: readonly Check[] = [
  ["the log is appended to, tells its gaps and its end", log],
  ["the log keeps to its end until the reader scrolls up", scrolling],
  ["a long log keeps its last lines and says so", longLog],
  ["a log that breaks off goes on from where it was", logAgain],
];

scripted("a run's live log in Chromium", CHECKS);

const lines = (page: Page) => page.locator("#log > div");

async function log({ browser, server }: World): Promise<void> {
  await inPage(browser, server.origin, async (page) => {
    await page.goto(`/runs/${RUNNING}`);
    await until("the log is opened", () => server.logOpened.length > 0);
    server.log({ event: "lines", data: { cursor: "2", lines: ["first <b>line</b>", ""] } });
    await lines(page).nth(1).waitFor();
    assert.equal(await lines(page).first().textContent(), "first <b>line</b>");
    server.log({ event: "gap", data: { from: "2", to: "9" } });
    server.log({ event: "lines", data: { cursor: "10", lines: ["after"] } });
    await lines(page).nth(3).waitFor();
    assert.match((await lines(page).nth(2).textContent())!, /part of the log is missing here, from 2 to 9/);
    server.log({ event: "end", data: { reason: "finished" } });
    await page.locator("#log-state", { hasText: "Complete. 4 lines shown." }).waitFor();

    await page.getByRole("button", { name: "Read again" }).click();
    await until("the log is opened again", () => server.logOpened.length === 2);
    server.log({ event: "end", data: { reason: "failed", message: "the runner is away" } });
    await page.locator("#log-state", { hasText: "The log cannot be read: the runner is away" }).waitFor();
    assert.equal(await lines(page).count(), 0);
  });
}

async function scrolling({ browser, server }: World): Promise<void> {
  const many = (count: number, word: string) => Array.from({ length: count }, (_, index) => `${word} ${index}`);
  await inPage(browser, server.origin, async (page) => {
    await page.goto(`/runs/${RUNNING}`);
    await until("the log is opened", () => server.logOpened.length > 0);
    const fromEnd = () => page.locator("#log").evaluate((log) => log.scrollHeight - log.scrollTop - log.clientHeight);
    server.log({ event: "lines", data: { cursor: "a", lines: many(300, "early") } });
    await lines(page).nth(299).waitFor();
    await until("the end is shown", async () => await fromEnd() < 2);

    await page.locator("#log").focus();
    await page.keyboard.press("PageUp");
    await page.getByRole("button", { name: "Follow the end" }).waitFor();
    await atRest(fromEnd);
    server.log({ event: "lines", data: { cursor: "b", lines: many(100, "late") } });
    await lines(page).nth(399).waitFor();
    assert.ok(await fromEnd() > 500, "it stays where the reader reads");

    await page.getByRole("button", { name: "Follow the end" }).click();
    await until("the end is shown again", async () => await fromEnd() < 2);
    server.log({ event: "lines", data: { cursor: "c", lines: many(50, "last") } });
    await lines(page).nth(449).waitFor();
    await until("the end is followed", async () => await fromEnd() < 2);
  });
}

/** Waits until a position is the same at several looks in a row: the scrolling has ended. */
async function atRest(position: () => Promise<number>): Promise<void> {
  let last = NaN, same = 0;
  await until("the scrolling has ended", async () => {
    const now = await position();
    same = now === last ? same + 1 : 0;
    last = now;
    return same >= 5;
  });
}

async function longLog({ browser, server }: World): Promise<void> {
  await inPage(browser, server.origin, async (page) => {
    await page.goto(`/runs/${RUNNING}`);
    await until("the log is opened", () => server.logOpened.length > 0);
    for (let batch = 0; batch < 24; batch++) {
      const lines = Array.from({ length: 500 }, (_, index) => `line ${batch * 500 + index}`);
      server.log({ event: "lines", data: { cursor: String(batch), lines } });
    }
    await page.getByText("line 11999", { exact: true }).waitFor();
    assert.equal(await lines(page).count(), 5000);
    assert.equal(await lines(page).first().textContent(), "line 7000");
    await page.locator("#log-state", { hasText: "5000 lines shown, the last of 12000" }).waitFor();
  });
}

async function logAgain({ browser, server }: World): Promise<void> {
  await inPage(browser, server.origin, async (page) => {
    await page.goto(`/runs/${RUNNING}`);
    await until("the log is opened", () => server.logOpened.length > 0);
    server.log({ event: "lines", data: { cursor: "c/1", lines: ["one"] } });
    await lines(page).first().waitFor();
    server.cut();
    await until("the log is opened again", () => server.logOpened.length === 2);
    assert.deepEqual(server.logOpened[1], `/api/v1/runs/${RUNNING}/log/events?cursor=c%2F1`);
    server.log({ event: "lines", data: { cursor: "c/2", lines: ["two"] } });
    await lines(page).nth(1).waitFor();
    assert.deepEqual(await lines(page).allTextContents(), ["one", "two"]);
  });
}
