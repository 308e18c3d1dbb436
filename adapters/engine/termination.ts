/** The job's last word, which it may write into the file that HYBRID_RUNNER_TERMINATION_LOG names. */
import * as z from "zod/mini";

/** Kubernetes' own limit of a termination message. */
const LIMIT_CHARACTERS = 4096;

const Message = z.object({ state: z.literal("partialSuccess") });

/** Nothing but `{"state": "partialSuccess"}` counts; anything else is a message for people. */
export function isPartialSuccess(text: string | undefined): boolean {
  if (text === undefined || text.length > LIMIT_CHARACTERS) return false;
  try {
    return Message.safeParse(JSON.parse(text)).success;
  } catch {
    return false;
  }
}
