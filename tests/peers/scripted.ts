/** Checks in one Chromium, each over a scripted server of its own. */
import type { Browser } from "playwright-core";
import { scene } from "../web/scene.ts";
import { launch } from "./chromium.ts";
import { type ScriptedServer, startScriptedServer } from "./scripted_server.ts";

/** What a check works with. */
export interface World {
  browser: Browser;
  server: ScriptedServer;
}

/** What is to hold, and how it is found out. */
export type Check = readonly [name: string, check: (world: World) => Promise<void>];

/** One test with a step per check. One browser for all: it takes a second to start. */
export function scripted(name: string, checks: readonly Check[]): void {
  Deno.test({ name, sanitizeOps: true, sanitizeResources: true }, async (t) => {
    const browser = await launch();
    try {
      for (const [name, check] of checks) {
        await t.step(name, async () => {
          const server = startScriptedServer(scene(new Date()));
          try {
            await check({ browser, server });
          } finally {
            await server.stop();
          }
        });
      }
    } finally {
      await browser.close();
    }
  });
}
