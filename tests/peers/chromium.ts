/** A real Chromium for tests, and a page in it whose errors fail the test. */
import assert from "node:assert/strict";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  // A key that scrolls does so at once: an animation still under way would move what a test has just measured.
  "--disable-smooth-scrolling",
];

/** Starts Chromium, from the path in CHROMIUM or where Debian puts it. */
export async function launch(): Promise<Browser> {
  const executablePath = Deno.env.get("CHROMIUM") ?? "/usr/bin/chromium";
  const found = await Deno.stat(executablePath).then(({ isFile }) => isFile, () => false);
  assert.ok(
    found,
    `There is no Chromium at ${executablePath}. Install it ("apt-get install chromium"), or set CHROMIUM to its path.`,
  );
  return await chromium.launch({ executablePath, headless: true, args: FLAGS });
}

/** Runs `check` in a fresh page at `origin`; a console error, an exception or a policy violation there fails it. */
export async function inPage(
  browser: Browser,
  origin: string,
  check: (page: Page, errors: string[]) => Promise<void>,
  options: BrowserContextOptions = {},
): Promise<void> {
  const context = await browser.newContext({ baseURL: origin, viewport: { width: 1200, height: 900 }, ...options });
  try {
    const page = await context.newPage();
    page.setDefaultTimeout(20_000);
    const errors: string[] = [];
    page.on("console", (message) => ["error", "warning"].includes(message.type()) && errors.push(message.text()));
    page.on("pageerror", (error) => errors.push(String(error)));
    await check(page, errors);
    assert.deepEqual(errors, []);
  } finally {
    await context.close();
  }
}
