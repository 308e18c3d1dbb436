/** The one door for request bodies and queries: bounded, JSON, and checked. */
import type * as z from "zod/mini";
import { Fault, reasonOf } from "../../../mod/fault.ts";
import { issueOf } from "../../../mod/protocol/peer.ts";

/** A document of 900 KiB, escaped as JSON at its worst, and room for the rest. */
const BODY_LIMIT_BYTES = 6 * 1024 * 1024;

/** The body as the schema says; an empty one is `undefined`. Faults: `invalid`, with the path of the bad member. */
export async function readBody<S extends z.ZodMiniType>(request: Request, schema: S): Promise<z.infer<S>> {
  const text = await readText(request);
  if (text !== "" && !/^application\/json\b/i.test(request.headers.get("content-type") ?? "")) {
    throw new Fault("invalid", "Cannot take the body: its content-type is not application/json", {
      path: "content-type",
    });
  }
  return checked(schema, text === "" ? undefined : parsed(text));
}

/** At most so many bytes of body. Faults: `invalid` if there are more. */
export async function readText(request: Request): Promise<string> {
  if (request.body === null) return "";
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let text = "", bytes = 0;
  try {
    for await (const chunk of request.body) {
      bytes += chunk.length;
      if (bytes > BODY_LIMIT_BYTES) throw new Fault("invalid", "Cannot take the body: it is larger than 6 MiB");
      text += decoder.decode(chunk, { stream: true });
    }
    return text + decoder.decode();
  } catch (error) {
    if (error instanceof Fault) throw error;
    throw new Fault("invalid", `Cannot read the body: ${reasonOf(error)}`, { cause: error });
  }
}

/** `limit` and `after` of a list. */
export function paging(url: URL): { limit: number; after?: string } {
  const given = url.searchParams.get("limit") ?? "100";
  const limit = Number(given);
  if (!Number.isInteger(limit) || limit < 1 || limit > 1000) {
    throw new Fault("invalid", "Cannot take limit: it is a whole number from 1 to 1000", { path: "limit" });
  }
  return { limit, ...optional(url, "after") };
}

/** The query's member, where it is given. */
export function optional<K extends string>(url: URL, name: K): { [P in K]?: string } {
  const value = url.searchParams.get(name);
  const found: { [P in K]?: string } = {};
  if (value !== null && value !== "") found[name] = value;
  return found;
}

function checked<S extends z.ZodMiniType>(schema: S, value: unknown): z.infer<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const { path, text } = issueOf(result.error);
  throw new Fault("invalid", `Cannot take the body: ${text}`, { path });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // No cause: a JSON error quotes what it could not read.
    throw new Fault("invalid", "Cannot take the body: it is not JSON");
  }
}
