/**
 * One frame of text as one JSON-RPC 2.0 message (https://www.jsonrpc.org/specification). Batches are not used. This
 * is the door where text becomes typed; the members' own schemas are applied by the peer.
 */
import * as z from "zod/mini";
import { Fault, FAULT_NUMBERS, type FaultCode } from "../fault.ts";

/** The frame is no JSON. JSON-RPC's own codes: https://www.jsonrpc.org/specification#error_object */
export const PARSE_ERROR = -32700;
/** It is JSON, but no request. */
export const INVALID_REQUEST = -32600;
/** This end has no such method. */
export const METHOD_NOT_FOUND = -32601;

export type RequestId = string | number | null;

/** What a frame turned out to be. */
export type Frame =
  /** `id` is undefined for a notification. */
  | { kind: "request"; id: RequestId | undefined; method: string; params: unknown }
  | { kind: "result"; id: RequestId; result: unknown }
  | { kind: "error"; id: RequestId; error: RemoteError }
  /** To be answered with the error. */
  | { kind: "malformed"; id: RequestId; code: number; message: string }
  /** A broken response: answering it could go to and fro for ever, so it is only counted. */
  | { kind: "broken-response"; message: string };

const Id = z.union([z.string(), z.number(), z.null()]);
const Members = z.record(z.string(), z.unknown());

const RemoteError = z.object({
  code: z.number(),
  message: z.string(),
  data: z.optional(z.catch(
    z.object({
      path: z.optional(z.string()),
      rule: z.optional(z.string()),
      retryAfterSeconds: z.optional(z.number()),
    }),
    {},
  )),
});
/** The error member of a response. `data` carries a fault's details. */
export type RemoteError = z.infer<typeof RemoteError>;

/** Reads one frame; never throws. */
export function readFrame(text: string): Frame {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { kind: "malformed", id: null, code: PARSE_ERROR, message: "Cannot read the frame: it is not JSON" };
  }
  if (Array.isArray(value)) return malformed(null, "batches are not used");
  const members = Members.safeParse(value);
  if (!members.success) return malformed(null, "it is not an object");
  const message = members.data;
  const isResponse = message.method === undefined && ("result" in message || "error" in message);
  const id = "id" in message ? Id.safeParse(message.id) : undefined;
  if (isResponse) return readResponse(message, id);
  if (id !== undefined && !id.success) return malformed(null, "id is neither string, number nor null");
  const answerTo = id?.data ?? null;
  if (message.jsonrpc !== "2.0") return malformed(answerTo, 'jsonrpc is not "2.0"');
  if (typeof message.method !== "string") return malformed(answerTo, "method is not a string");
  return { kind: "request", id: id?.data, method: message.method, params: message.params ?? {} };
}

function readResponse(
  message: Record<string, unknown>,
  id: { success: boolean; data?: RequestId } | undefined,
): Frame {
  if (message.jsonrpc !== "2.0") return broken('jsonrpc is not "2.0"');
  if (id === undefined || !id.success || id.data === undefined) return broken("it has no usable id");
  if ("result" in message && "error" in message) return broken("it has both result and error");
  if ("result" in message) return { kind: "result", id: id.data, result: message.result };
  const error = RemoteError.safeParse(message.error);
  if (!error.success) return broken("its error is malformed");
  return { kind: "error", id: id.data, error: error.data };
}

function malformed(id: RequestId, reason: string): Frame {
  return { kind: "malformed", id, code: INVALID_REQUEST, message: `Cannot take the frame: ${reason}` };
}

function broken(reason: string): Frame {
  return { kind: "broken-response", message: `Cannot take the response: ${reason}` };
}

/** The frame of a request. */
export function requestFrame(id: number, method: string, params: unknown): string {
  return JSON.stringify({ jsonrpc: "2.0", id, method, params });
}

/** The frame of a successful answer. */
export function resultFrame(id: RequestId, result: unknown): string {
  return JSON.stringify({ jsonrpc: "2.0", id, result: result ?? {} });
}

/** The frame of a refusal. */
export function errorFrame(id: RequestId, error: RemoteError): string {
  return JSON.stringify({ jsonrpc: "2.0", id, error });
}

/** A fault as the error member of a response. Causes stay here: they may name what is nobody's business outside. */
export function faultToError(fault: Fault): RemoteError {
  return { code: FAULT_NUMBERS[fault.code], message: fault.message, data: { ...fault.details } };
}

const CODE_OF = new Map<number, FaultCode>(
  Object.entries(FAULT_NUMBERS).map(([code, number]) => [number, code as FaultCode]),
);

/** The error member of a response as a fault; `method not found` means that the peer lacks the feature. */
export function errorToFault(error: RemoteError): Fault {
  const code = CODE_OF.get(error.code) ?? (error.code === METHOD_NOT_FOUND ? "unavailable" : "internal");
  return new Fault(code, error.message, { ...error.data });
}
