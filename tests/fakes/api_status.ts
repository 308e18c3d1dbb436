/** Refusals as the API server words them: Status objects. */

/** A request that is turned away. */
export class Refusal extends Error {
  constructor(
    readonly code: number,
    readonly reason: string,
    message: string,
    readonly details: Record<string, unknown> = {},
  ) {
    super(message);
  }
}

/** An object that breaks a rule: 422, with the field that does. */
export function invalid(resource: string, name: unknown, field: string, message: string): Refusal {
  return new Refusal(422, "Invalid", `${resource} "${name}" is invalid: ${field}: ${message}`, {
    causes: [{ reason: "FieldValueInvalid", message, field }],
  });
}

/** No such object: 404. */
export function notFound(resource: string, name: unknown): Refusal {
  return new Refusal(404, "NotFound", `${resource} "${name}" not found`);
}

/** The refusal as it goes over the wire. */
export function statusResponse({ code, reason, message, details }: Refusal, headers: HeadersInit = {}): Response {
  const status = { kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure" };
  return Response.json({ ...status, message, reason, code, details }, { status: code, headers });
}
