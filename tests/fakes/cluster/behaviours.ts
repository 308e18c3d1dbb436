/** What a job's main process does: the contract suite's behaviours, without a process. */
import type { Behaviour } from "../../contract/engine.ts";

/** What a process can do. */
export interface Process {
  print(...lines: string[]): void;
  /** The same, without a newline at the end. */
  printRest(text: string): void;
  /** The document as it stands in the mounted Secret. */
  document(): string;
  /** Rejects when the process is ended. */
  sleep(ms: number): Promise<void>;
  sleepForEver(): Promise<never>;
}

export interface Exit {
  exitCode: number;
  /** What it left in /dev/termination-log. */
  message?: string;
}

/** What the environment asks for; a job that says nothing ends well without a word. */
export function behaviourOf(text: string | undefined): Behaviour {
  return text === undefined ? { does: "succeed" } : JSON.parse(text) as Behaviour;
}

/** Runs it to its end; rejects when the process is ended before. */
export async function behave(behaviour: Behaviour, process: Process): Promise<Exit> {
  switch (behaviour.does) {
    case "succeed":
      process.print(...numbered(behaviour.lines ?? 0));
      return { exitCode: 0 };
    case "fail":
      process.print(...numbered(behaviour.lines));
      return { exitCode: behaviour.exitCode };
    case "sleep":
    case "ignore-term":
      process.print("line 1");
      return await process.sleepForEver();
    case "print":
      if (behaviour.everyMs === 0) process.print(...numbered(behaviour.lines));
      else {
        for (const [at, line] of numbered(behaviour.lines).entries()) {
          if (at > 0) await process.sleep(behaviour.everyMs);
          process.print(line);
        }
      }
      return { exitCode: 0 };
    case "partial":
      return { exitCode: 0, message: '{"state":"partialSuccess"}' };
    case "echo": {
      const lines = process.document().split("\n");
      const rest = lines.pop() ?? "";
      process.print(...lines);
      if (rest !== "") process.printRest(rest);
      return { exitCode: 0 };
    }
  }
}

function numbered(count: number): string[] {
  return Array.from({ length: count }, (_, at) => `line ${at + 1}`);
}
