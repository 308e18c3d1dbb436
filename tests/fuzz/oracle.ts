/** What JSON-RPC 2.0 and the protocol prescribe for a frame: written apart from the code that is tested. */
import { FAULT_NUMBERS } from "../../mod/fault.ts";
import type { Methods } from "../../mod/protocol/methods.ts";

export type Verdict =
  /** An error with exactly this id and code. */
  | { kind: "error"; id: unknown; code: number; isMalformed: boolean }
  /** A result that its schema takes, or a typed fault. */
  | { kind: "answer"; id: unknown; method: string; params: unknown }
  /** Responses and notifications; a notification that its schema takes is carried out. */
  | { kind: "silence"; isMalformed: boolean; method?: string; params?: unknown };

/** Codes that a fault may have; a defect of ours (-32603) is never an acceptable answer. */
const FAULTS = new Set<number>(Object.values(FAULT_NUMBERS).filter((code) => code !== FAULT_NUMBERS.internal));

/** The verdict on a frame's text, at the end that answers `methods`. */
export function verdictOn(text: string, methods: Methods): Verdict {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { kind: "error", id: null, code: -32700, isMalformed: true };
  }
  const refused = (id: unknown): Verdict => ({ kind: "error", id, code: -32600, isMalformed: true });
  // A batch is an array, and batches are not used; anything else that is no object is no request.
  if (typeof value !== "object" || value === null || Array.isArray(value)) return refused(null);
  const own = new Map<string, unknown>(Object.entries(value));
  const id = own.get("id");
  const isGoodId = typeof id === "string" || id === null || (typeof id === "number" && Number.isFinite(id));
  if (!own.has("method") && (own.has("result") || own.has("error"))) {
    return { kind: "silence", isMalformed: !isGoodId || !isGoodResponse(own) };
  }
  if (own.has("id") && !isGoodId) return refused(null);
  const method = own.get("method");
  if (own.get("jsonrpc") !== "2.0" || typeof method !== "string") return refused(own.has("id") ? id : null);
  const entry = Object.hasOwn(methods, method) ? methods[method] : undefined;
  const params = entry && parsed(entry.params, own.get("params") ?? {});
  if (!own.has("id")) {
    return { kind: "silence", isMalformed: false, ...params?.success ? { method, params: params.data } : {} };
  }
  if (params === undefined) return { kind: "error", id, code: -32601, isMalformed: false };
  if (!params.success) return { kind: "error", id, code: -32602, isMalformed: false };
  return { kind: "answer", id, method, params: params.data };
}

/** What zod cannot even look at (it throws) does not fit. */
function parsed(
  schema: Methods[string]["params"],
  value: unknown,
): ReturnType<typeof schema.safeParse> | { success: false } {
  try {
    return schema.safeParse(value);
  } catch {
    return { success: false };
  }
}

function isGoodResponse(own: Map<string, unknown>): boolean {
  if (own.get("jsonrpc") !== "2.0" || (own.has("result") && own.has("error"))) return false;
  if (own.has("result")) return true;
  const error = own.get("error");
  if (typeof error !== "object" || error === null) return false;
  const { code, message } = Object.assign(Object.create(null), error);
  return typeof code === "number" && Number.isFinite(code) && typeof message === "string";
}

/** One answer as it came. */
export interface Answer {
  id: unknown;
  result?: unknown;
  error?: { code: number; message: string };
}

/** What is wrong with an answer, if anything. */
export function wrongIn(answer: Answer, verdict: Verdict, methods: Methods): string | undefined {
  switch (verdict.kind) {
    case "silence":
      return "it must not be answered";
    case "error":
      return answer.error?.code === verdict.code ? undefined : `the code ${verdict.code} is due`;
    case "answer": {
      if (answer.error !== undefined) {
        return FAULTS.has(answer.error.code) ? undefined : `${answer.error.code} is no typed fault`;
      }
      const checked = methods[verdict.method]?.result.safeParse(answer.result);
      return checked?.success ? undefined : `the result is not what ${verdict.method} answers`;
    }
  }
}
