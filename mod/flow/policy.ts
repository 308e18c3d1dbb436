/**
 * The policy stage: every command passes here, and every decision leaves an audit record. The rules themselves are a
 * function that comes in by the door.
 */
import { asFault, Fault } from "../fault.ts";
import type { Job } from "../job.ts";
import type { Audit } from "../ports.ts";

/** What is asked: the method, and the job where there is one. */
export interface Asked {
  method: string;
  pipelineId?: string;
  runId?: string;
  job?: Job;
}

/** What a policy says of one command. */
export interface Verdict {
  allowed: boolean;
  /** The rule that decided. */
  rule: string;
  /** Why not, as the end of a sentence. */
  reason?: string;
}

export type Policy = (asked: Asked) => Verdict;

/** For now: whatever the protocol lets through. */
export const allowAll: Policy = (): Verdict => ({ allowed: true, rule: "allow-all" });

/** Throws `denied` where the policy says no; answers nothing where it says yes. */
export type Gate = (asked: Asked) => Promise<void>;

/** A gate that throws `denied` where the policy says no; it answers nothing where it says yes. */
export function createGate(
  policy: Policy,
  audit: Audit,
  secretNames: (document: string) => Promise<readonly string[]>,
): Gate {
  return async (asked) => {
    const { verdict, secrets } = await judge(asked);
    audit({
      method: asked.method,
      decision: verdict.allowed ? "allowed" : "denied",
      rule: verdict.rule,
      ...asked.pipelineId !== undefined ? { pipelineId: asked.pipelineId } : {},
      ...asked.runId !== undefined ? { runId: asked.runId } : {},
      ...asked.job ? { revision: asked.job.revision } : {},
      ...secrets ? { secrets } : {},
    });
    if (verdict.fault) throw verdict.fault;
    if (verdict.allowed) return;
    throw new Fault("denied", `Cannot carry out ${asked.method}: ${verdict.reason ?? "the policy refuses it"}`, {
      rule: verdict.rule,
    });
  };

  /** A document whose references cannot be read is refused here, with an audit record like any other refusal. */
  async function judge(asked: Asked): Promise<{ verdict: Verdict & { fault?: Fault }; secrets?: readonly string[] }> {
    try {
      const secrets = asked.job && await secretNames(asked.job.document);
      return { verdict: policy(asked), ...secrets ? { secrets } : {} };
    } catch (error) {
      return { verdict: { allowed: false, rule: "document", fault: asFault(error, "read the document") } };
    }
  }
}
