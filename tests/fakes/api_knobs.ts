/** What can be made to go wrong with the fake API server's answers. */
import { Refusal } from "./api_status.ts";

/** What one request asks for. */
export interface Asked {
  verb: string;
  /** With its subresource: `pods/log`. */
  resource: string;
  group: string;
  namespace?: string;
  name?: string;
  token?: string;
  text: string;
}

/** A failure that was ordered. */
export interface FailOptions {
  times?: number;
  retryAfter?: number;
  /** The answer quotes what was sent. */
  echo?: boolean;
  /** Only requests about this resource. */
  resource?: string;
}

/** Verbs by resource, as a Role grants them. */
export type Grants = Readonly<Record<string, readonly string[]>>;

export interface Knobs {
  deny(verb: string, resource: string): void;
  allow(verb: string, resource: string): void;
  grant(token: string, grants: Grants): void;
  requireToken(token: string): void;
  fail(verb: string, code: number, options?: FailOptions): void;
  breakAfter(verb: string): void;
  /** Throws what the request is turned away with. */
  check(asked: Asked): void;
  /** The answer, or one whose connection breaks. */
  through(asked: Asked, response: Response): Response;
}

interface Failure extends FailOptions {
  verb: string;
  code: number;
  times: number;
}

export function createKnobs(): Knobs {
  const denied = new Set<string>();
  const granted = new Map<string, Grants>();
  const failures: Failure[] = [];
  const breaks = new Set<string>();
  let token: string | undefined;

  const isDenied = ({ verb, resource, token }: Asked) => {
    const grants = token === undefined ? undefined : granted.get(token);
    if (grants && !grants[resource]?.includes(verb)) return true;
    return denied.has(`${verb} ${resource}`) || denied.has(`* ${resource}`);
  };

  return {
    deny: (verb, resource) => void denied.add(`${verb} ${resource}`),
    allow: (verb, resource) => void denied.delete(`${verb} ${resource}`),
    grant: (token, grants) => void granted.set(token, grants),
    requireToken: (wanted) => void (token = wanted),
    fail: (verb, code, options) => void failures.push({ verb, code, times: 1, ...options }),
    breakAfter: (verb) => void breaks.add(verb),
    check(asked) {
      const { verb, resource, group, namespace, name, text } = asked;
      if (token !== undefined && asked.token !== token) throw new Refusal(401, "Unauthorized", "Unauthorized");
      if (isDenied(asked)) {
        const what = group === "" ? resource.split("/")[0] : `${resource.split("/")[0]}.${group}`;
        throw new Refusal(
          403,
          "Forbidden",
          `${what}${name ? ` "${name}"` : ""} is forbidden: User "fake" cannot ${verb} resource "${resource}" in ` +
            `API group "${group}" in the namespace "${namespace}"`,
        );
      }
      const failure = failures.find((row) =>
        row.verb === verb && (row.resource ?? resource) === resource && row.times-- > 0
      );
      if (failure) {
        const { code, retryAfter, echo } = failure;
        const message = echo ? `error found in #10 byte of ...|${text}|...` : "made to fail";
        throw new Refusal(code, "Made", message, retryAfter ? { retryAfterSeconds: retryAfter } : {});
      }
    },
    through({ verb }, response) {
      if (!breaks.delete(verb)) return response;
      const broken = new ReadableStream({ start: (control) => control.error(new Error("broken")) });
      return new Response(broken, { headers: { "content-type": "application/json" } });
    },
  };
}
