/**
 * The one error of this product. A `Fault` has a code from a closed set, so that a caller can switch on it, and a
 * message that names the action, the subject and the reason. An abort is never turned into a fault: it passes
 * through as the signal's own reason.
 */

/** JSON-RPC error code of each fault on the wire; the keys are the closed set of fault codes. */
export const FAULT_NUMBERS = {
  /** The caller's input is wrong; `path` names the bad field. */
  invalid: -32602,
  /** Policy, RBAC or a provider says no; `rule` names what decided. */
  denied: -32001,
  not_found: -32002,
  /** Another content, an older revision, or a second live instance. */
  conflict: -32003,
  /** Cannot be taken now; `retryAfterSeconds` says when to ask again. */
  busy: -32004,
  /** The peer, engine or provider cannot be reached, or lacks this feature. */
  unavailable: -32005,
  /** What was read (a secret, a file, a frame) is not what it should be. */
  malformed: -32006,
  /** A defect of ours. */
  internal: -32603,
} as const;

export type FaultCode = keyof typeof FAULT_NUMBERS;

/** The facts beside the message that a caller may act on; they travel as `error.data`. */
export interface FaultDetails {
  /** Dotted path of the bad field, for `invalid`. */
  path?: string;
  /** Name of the policy rule or missing grant, for `denied`. */
  rule?: string;
  /** Seconds to wait before trying again, for `busy`. */
  retryAfterSeconds?: number;
}

/** The error: a code to switch on, a sentence to read, and the cause where there is one. */
export class Fault extends Error {
  override readonly name = "Fault";
  readonly code: FaultCode;
  readonly details: FaultDetails;

  constructor(code: FaultCode, message: string, options: FaultDetails & { cause?: unknown } = {}) {
    const { cause, ...details } = options;
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.details = details;
  }
}

/** True for faults, whatever their code; with `code`, only for that one. */
export function isFault(error: unknown, code?: FaultCode): error is Fault {
  return error instanceof Fault && (code === undefined || error.code === code);
}

/** Any thrown thing as a `Fault`; what is not one becomes `internal`, with its cause kept. */
export function asFault(error: unknown, action: string): Fault {
  if (error instanceof Fault) return error;
  return new Fault("internal", `Cannot ${action}: ${reasonOf(error)}`, { cause: error });
}

/** The readable reason in any thrown thing, on one line. */
export function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message || error.name : String(error);
  return text.replace(/\s+/g, " ").trim();
}
