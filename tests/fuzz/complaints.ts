/** What a program's output says of a defect of its own. */
import { jsonLine } from "../journeys/process.ts";

/** Lines of a runtime that gives up, and log lines of the level `error`; there must be none. */
export function complaintsIn(output: string): string[] {
  return output.split("\n").filter((line) => {
    const told = jsonLine(line);
    if (told !== undefined) return told.level === "error";
    return /\b(uncaught|unhandled|panicked|fatal)\b/i.test(line);
  }).slice(0, 5);
}
