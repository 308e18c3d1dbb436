/**
 * The API server's refusals as faults (https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/).
 * A 410 is a `conflict` whose rule is "expired": what was asked from is an older revision than the server still knows.
 */
import * as z from "zod/mini";
import { Fault, type FaultCode, isFault } from "../../mod/fault.ts";
import { type ApiVerb, granted, spoken, type Target } from "./target.ts";

const text = z.catch(z.optional(z.string()), undefined);
/** The server's Status, forgiving: it is read only where something went wrong already. */
export const Status = z.object({
  kind: z.literal("Status"),
  code: z.catch(z.optional(z.number()), undefined),
  message: text,
  reason: text,
  details: z.catch(
    z.optional(z.object({
      retryAfterSeconds: z.catch(z.optional(z.number()), undefined),
      causes: z.catch(z.optional(z.array(z.object({ message: text, field: text, reason: text }))), undefined),
    })),
    undefined,
  ),
});
export type Status = z.infer<typeof Status>;

/** A refusal: HTTP status, the body if it was a Status, and how long we were told to wait. */
export interface Refusal {
  verb: ApiVerb;
  target: Target;
  code: number;
  status?: Status;
  retryAfterSeconds?: number;
}

/** True for what the server has forgotten: list anew. */
export function isExpired(error: unknown): boolean {
  return isFault(error, "conflict") && error.details.rule === EXPIRED;
}

const EXPIRED = "expired";
const MOST_CHARACTERS = 1000;
const CODES: Readonly<Record<number, FaultCode>> = {
  401: "denied",
  403: "denied",
  404: "not_found",
  409: "conflict",
  410: "conflict",
  429: "busy",
};

/** The refusal as a fault that says what to change. */
export function refused(refusal: Refusal): Fault {
  const { verb, target, code, status } = refusal;
  const at = refusal.retryAfterSeconds ?? status?.details?.retryAfterSeconds;
  const retry = at === undefined ? {} : { retryAfterSeconds: at };
  const fault = (fault: FaultCode, reason: string, details = {}) =>
    new Fault(fault, `Cannot ${verb} ${spoken(target)}: ${reason}`, { ...retry, ...details });
  const said = wordsOf(refusal);
  switch (true) {
    case code === 401:
      return fault("denied", `the API server does not accept our token or certificate${said}; renew it`, {
        rule: "authentication",
      });
    case code === 403 && /\bcannot \w+ /.test(status?.message ?? ""):
      return fault("denied", `${trimmed(status?.message)}; add to its Role: ${grantOf(refusal)}`, {
        rule: `rbac: ${grantOf(refusal)}`,
      });
    case code === 403:
      return fault("denied", `the API server forbids it${said}`, { rule: "admission" });
    // Only an unknown path is answered without a Status that names its object.
    case code === 404 && (status?.details === undefined):
      return fault("unavailable", `the API server does not serve ${target.resource} of ${target.apiVersion}`, {
        rule: "not-served",
      });
    case code === 410:
      return fault("conflict", `the API server no longer knows that resource version${said}`, { rule: EXPIRED });
    case code >= 500:
      return fault("unavailable", `the API server answers HTTP ${code}${said}`);
    case code >= 300 && code < 400:
      return fault("unavailable", `HTTP ${code} leads elsewhere; set the API server's final address`);
    case code in CODES:
      return fault(CODES[code] ?? "invalid", `HTTP ${code}${said}`);
    default: {
      const path = status?.details?.causes?.find((cause) => cause.field)?.field;
      return fault("invalid", `the API server says HTTP ${code}${said}`, path === undefined ? {} : { path });
    }
  }
}

/** What a Role must allow, as `create secrets in namespace x`. */
function grantOf({ verb, target }: Refusal): string {
  const where = target.namespace === undefined ? "" : ` in namespace ${target.namespace}`;
  return `${verb} ${granted(target)}${where}`;
}

/** The server's own words. On Secrets only reason and fields: decoders and webhooks quote what was sent to them. */
function wordsOf({ target, status }: Refusal): string {
  if (status === undefined) return "";
  if (target.resource !== "secrets") return status.message ? ` (${trimmed(status.message)})` : "";
  // Of a field only what the API itself names; a map's key is the writer's.
  const fields = status.details?.causes?.map((cause) => cause.field?.replace(/\[.*$/, "")).filter(Boolean) ?? [];
  return ` (${[status.reason, ...fields].filter(Boolean).join(", ") || "no reason given"})`;
}

function trimmed(text = ""): string {
  return text.replace(/\s+/g, " ").slice(0, MOST_CHARACTERS).trim();
}
