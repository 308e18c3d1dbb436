/**
 * Why an upgrade was refused. The platform tells no status and hides TLS failures, so one plain request to the same
 * address, with the same client and token, shows what is there.
 */
import { Fault, reasonOf } from "../../mod/fault.ts";
import { SUBPROTOCOL } from "../../mod/protocol/methods.ts";

const TIMEOUT_MS = 10_000;
const MOST_CHARACTERS = 2048;

/** The failed dial as a fault that names the true reason and what to do. */
export async function explainRefusal(
  url: string,
  token: string,
  client: Deno.HttpClient,
  cause: unknown,
  signal: AbortSignal,
): Promise<Fault> {
  const probe = url.replace(/^ws/, "http");
  const limit = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
  // Unpacked: what is small on the way could be large here.
  const headers = { authorization: `Bearer ${token}`, "accept-encoding": "identity" };
  try {
    const response = await fetch(probe, { client, headers, redirect: "manual", signal: limit });
    const problem = await sentence(response);
    return explainStatus(url, response, problem, cause);
  } catch (error) {
    signal.throwIfAborted();
    return new Fault("unavailable", `Cannot reach ${url}: ${explainFailure(error)}`, { cause: error });
  }
}

function explainStatus(url: string, { status, headers }: Response, problem: string, cause: unknown): Fault {
  const said = problem === "" ? "" : ` (${problem})`;
  switch (true) {
    case status === 401:
      return new Fault("denied", `Cannot dial ${url}: the token was refused${said}; issue a new AUTH_TOKEN`, { cause });
    case status === 403:
      return new Fault("denied", `Cannot dial ${url}: the token may not act for this agent${said}`, { cause });
    case status === 426:
      return new Fault("malformed", `Cannot dial ${url}: the server does not speak ${SUBPROTOCOL}${said}`, { cause });
    case status >= 300 && status < 400: {
      const to = headers.get("location") ?? "elsewhere";
      return new Fault("malformed", `Cannot dial ${url}: it redirects to ${to}; set SERVER_URL to the final address`, {
        cause,
      });
    }
    case status === 404:
      return new Fault(
        "malformed",
        `Cannot dial ${url}: nothing is there (HTTP 404); check host and path of SERVER_URL`,
        {
          cause,
        },
      );
    case status >= 500:
      return new Fault("unavailable", `Cannot dial ${url}: the server answers HTTP ${status}${said}`, { cause });
    default:
      return new Fault("malformed", `Cannot dial ${url}: what answers (HTTP ${status}) is no control plane${said}`, {
        cause,
      });
  }
}

/** Sentences for what fails below HTTP; the platform's own words stay in the cause. */
const FAILURES: readonly { sign: RegExp; says: string }[] = [
  {
    sign: /UnknownIssuer/i,
    says: "its certificate is signed by a CA that is not known here; set SERVER_CA_PATH to that CA's PEM file",
  },
  { sign: /NotValidForName|not valid for name/i, says: "its certificate is for another host name" },
  { sign: /Expired/i, says: "its certificate has expired, or this machine's clock is wrong" },
  { sign: /InvalidContentType|corrupt message/i, says: "it does not speak TLS; use ws:// or the right port" },
  { sign: /dns error|failed to lookup/i, says: "its host name does not resolve (DNS)" },
  { sign: /refused/i, says: "the connection was refused; nothing listens there, or a firewall says no" },
  { sign: /timed? ?out|aborted/i, says: "no answer in time; check that egress to it is allowed" },
];

function explainFailure(error: unknown): string {
  const text = allReasons(error);
  return FAILURES.find(({ sign }) => sign.test(text))?.says ?? reasonOf(error);
}

function allReasons(error: unknown): string {
  const reasons: string[] = [];
  for (
    let at: unknown = error;
    at !== undefined && reasons.length < 8;
    at = at instanceof Error ? at.cause : undefined
  ) {
    reasons.push(reasonOf(at));
  }
  return reasons.join(" ");
}

/** The `detail` of a problem+json body, or nothing. */
async function sentence(response: Response): Promise<string> {
  const text = await beginning(response);
  if (!(response.headers.get("content-type") ?? "").includes("problem+json")) return "";
  try {
    const { detail } = JSON.parse(text) as { detail?: unknown };
    return typeof detail === "string" ? detail : "";
  } catch {
    return "";
  }
}

/** The first bytes of a body, whatever its length; the rest is not read. */
async function beginning(response: Response): Promise<string> {
  if (response.headers.get("content-encoding") !== null || response.body === null) {
    await response.body?.cancel();
    return "";
  }
  const decoder = new TextDecoder();
  let text = "";
  for await (const part of response.body) {
    text += decoder.decode(part, { stream: true });
    if (text.length >= MOST_CHARACTERS) break;
  }
  return text.slice(0, MOST_CHARACTERS);
}
