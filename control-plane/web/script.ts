/**
 * The page's script, as the browser gets it. It is written as ordinary functions, which the compiler and the linter
 * check, and sent as their own text: no build step, and it survives bundling, as long as each of them uses nothing from
 * outside itself but its parameters and the browser's globals.
 */
import { takeActions } from "./browser/actions.ts";
import { keepFresh } from "./browser/freshness.ts";
import { followLog } from "./browser/log.ts";
import { createVoice } from "./browser/voice.ts";
import { ageOf } from "./format.ts";

/** A classic script. */
export const SCRIPT: string = `"use strict";
{
  const voice = (${createVoice})();
  const refresh = (${keepFresh})(voice, ${ageOf});
  (${takeActions})(voice, refresh);
  (${followLog})();
}
`;
