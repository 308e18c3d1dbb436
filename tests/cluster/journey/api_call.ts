/** A request to the API server, read back from its path: what it asks for, in the words of RBAC. */
import type { ApiVerb } from "../../../adapters/cluster/target.ts";

/** One request as the proxy sees it. */
export interface ApiCall {
  verb: ApiVerb;
  /** The plural, with its subresource: `jobs`, `pods/log`; empty for the pages that say what is served. */
  resource: string;
  name?: string;
  /** What was sent along. */
  body: string;
}

/** Which requests are meant. */
export type Match = (call: ApiCall) => boolean;

const METHODS: Readonly<Record<string, ApiVerb>> = { POST: "create", PATCH: "patch", DELETE: "delete", PUT: "patch" };

/** The request by its method and address. */
export function apiCall(method: string, { pathname, searchParams }: URL, body: string): ApiCall {
  const parts = pathname.split("/").slice(1);
  const rest = parts.slice(parts[0] === "apis" ? 3 : 2);
  const [resource = "", name, subresource] = rest[0] === "namespaces" && rest.length > 2 ? rest.slice(2) : rest;
  const reads: ApiVerb = searchParams.has("watch") ? "watch" : name === undefined ? "list" : "get";
  return {
    verb: METHODS[method] ?? reads,
    resource: subresource === undefined ? resource : `${resource}/${subresource}`,
    body,
    ...name === undefined ? {} : { name },
  };
}

/** Requests of this verb on this resource; `text` must occur in what is sent along. */
export function calls(verb: ApiVerb, resource: string, text = ""): Match {
  return (call) => call.verb === verb && call.resource === resource && call.body.includes(text);
}
