/** The close codes of `hybrid-runner.v1`: one table, who sends each, and what the other side does. */

export interface Close {
  code: number;
  sender: "runner" | "control plane" | "either";
  meaning: string;
  /** What the side that receives it does. */
  then: string;
}

/** Every code that this protocol sends, by name; the 44xx are of RFC 6455's range for private use (4000 to 4999). */
export const CLOSES = {
  normal: { code: 1000, sender: "either", meaning: "renewal of the connection", then: "the runner dials anew at once" },
  goingAway: {
    code: 4400,
    sender: "either",
    meaning: "the program is stopping (applications cannot send 1001)",
    then: "the runner dials anew after its backoff; the control plane shows the runner as stopped",
  },
  tokenRefused: {
    code: 4401,
    sender: "control plane",
    meaning: "the token expired, was revoked, or is for another agent",
    then: "the runner says so loudly, dials at the backoff's cap, and at once when its token file changes",
  },
  malformed: {
    code: 4407,
    sender: "either",
    meaning: "frames that are no JSON-RPC: a binary frame, or too many malformed ones",
    then: "the runner dials anew after its backoff",
  },
  helloTimeout: {
    code: 4408,
    sender: "either",
    meaning: "no runner.hello, or no answer to it, in time",
    then: "the runner dials anew after its backoff",
  },
  twoInstances: {
    code: 4409,
    sender: "control plane",
    meaning: "another live instance has this agentId",
    then: "the runner says so loudly and dials at the backoff's cap",
  },
  tooLarge: {
    code: 4413,
    sender: "either",
    meaning: "a frame larger than the announced limit",
    then: "the runner dials anew after its backoff",
  },
  silent: {
    code: 4414,
    sender: "control plane",
    meaning: "no sign of life within two heartbeat intervals",
    then: "the runner, if it still hears it, dials anew after its backoff",
  },
} as const satisfies Record<string, Close>;
