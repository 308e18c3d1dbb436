/** Errors as RFC 9457 problem details. */
import { asFault, type Fault, type FaultCode } from "../../../mod/fault.ts";

/** HTTP status of each fault. */
const STATUS: Readonly<Record<FaultCode, number>> = {
  invalid: 400,
  denied: 403,
  not_found: 404,
  conflict: 409,
  busy: 429,
  unavailable: 503,
  malformed: 502,
  internal: 500,
};

/** A problem with a status of its own. `extra` are extension members and headers. */
export function problem(
  status: number,
  code: string,
  detail: string,
  { members = {}, headers = {} }: { members?: Record<string, unknown>; headers?: Record<string, string> } = {},
): Response {
  const body = { type: "about:blank", title: TITLES[status] ?? "Error", status, code, detail, ...members };
  return new Response(JSON.stringify(body), {
    status,
    headers: { "content-type": "application/problem+json", "cache-control": "no-store", ...headers },
  });
}

/** Any thrown thing as a problem. What is ours to know stays here: an internal error has no detail. */
export function problemOf(error: unknown, action: string): { response: Response; fault: Fault } {
  const fault = asFault(error, action);
  const { path, rule, retryAfterSeconds } = fault.details;
  const detail = fault.code === "internal" ? `Cannot ${action}: a defect of the control plane` : fault.message;
  const response = problem(STATUS[fault.code], fault.code, detail, {
    members: { path, rule },
    headers: retryAfterSeconds === undefined ? {} : { "retry-after": String(Math.ceil(retryAfterSeconds)) },
  });
  return { response, fault };
}

const TITLES: Readonly<Record<number, string>> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  409: "Conflict",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  421: "Misdirected Request",
  426: "Upgrade Required",
  429: "Too Many Requests",
  500: "Internal Server Error",
  502: "Bad Gateway",
  503: "Service Unavailable",
};
