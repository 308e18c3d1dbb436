/** The least program there is: what an executable costs before it does anything. */
import { argv } from "node:process";

// deno-lint-ignore no-console
console.log(`hello ${argv.length}`);
if (argv.includes("--stay")) setInterval(() => {}, 60_000);
