/** The frames of examples/protocol, typed. */
import * as z from "zod/mini";

const Recorded = z.object({
  from: z.enum(["runner", "control plane"]),
  kind: z.enum(["request", "result", "error", "unknown"]),
  method: z.nullable(z.string()),
  frame: z.record(z.string(), z.unknown()),
});
export type Recorded = z.infer<typeof Recorded>;

/** Every recorded frame, in the file's order. */
export function recordedFrames(): Recorded[] {
  const text = Deno.readTextFileSync(new URL("../../examples/protocol/frames.jsonl", import.meta.url));
  return text.trimEnd().split("\n").map((line) => Recorded.parse(JSON.parse(line)));
}
