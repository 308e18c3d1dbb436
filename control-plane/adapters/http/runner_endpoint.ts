/** GET /runner/v1/connect: the token is checked first, then the upgrade; each refusal says what is wrong. */
import { isFault, reasonOf } from "../../../mod/fault.ts";
import type { Connection, Log } from "../../../mod/ports.ts";
import { SUBPROTOCOL } from "../../../mod/protocol/methods.ts";
import type { Claims } from "../../mod/ports.ts";
import { type Auth, TOKEN_RULE } from "./auth.ts";
import { connectionOf } from "./connection.ts";
import { problem, problemOf } from "./problem.ts";

/** The platform pings after this long, and ends sockets that don't answer: it frees what we have abandoned. */
const PING_SECONDS = 60;

/** Answers an upgrade request; `accept` serves the connection to its end. */
export async function connectRunner(
  request: Request,
  { auth, log, accept }: {
    auth: Auth;
    log: Log;
    accept: (connection: Connection, claims: Claims) => Promise<void>;
  },
): Promise<Response> {
  let claims: Claims;
  try {
    claims = await auth.bearer(request);
  } catch (error) {
    log("warn", "runner.refused", { reason: reasonOf(error) });
    return unauthorized(error);
  }
  if (claims.scope !== "runner") {
    return problem(403, "denied", `Cannot let the runner in: the token's scope is ${claims.scope}`);
  }
  if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
    const headers = { upgrade: "websocket", connection: "Upgrade" };
    return problem(426, "invalid", "Cannot serve this: a WebSocket upgrade (RFC 6455) is wanted", { headers });
  }
  const offered = (request.headers.get("sec-websocket-protocol") ?? "").split(",").map((name) => name.trim());
  if (!offered.includes(SUBPROTOCOL)) {
    const headers = { "sec-websocket-protocol": SUBPROTOCOL };
    const detail = `Cannot agree on a protocol: this server speaks ${SUBPROTOCOL}`;
    return problem(426, "invalid", detail, { members: { supported: [SUBPROTOCOL] }, headers });
  }
  return upgrade(request, claims, log, accept);
}

/** 401 where another token would help, 403 otherwise. */
export function unauthorized(error: unknown): Response {
  const isToken = isFault(error, "denied") && error.details.rule === TOKEN_RULE;
  if (!isToken) return problemOf(error, "check the token").response;
  return problem(401, "denied", error.message, { headers: { "www-authenticate": 'Bearer error="invalid_token"' } });
}

function upgrade(
  request: Request,
  claims: Claims,
  log: Log,
  accept: (connection: Connection, claims: Claims) => Promise<void>,
): Response {
  try {
    const { socket, response } = Deno.upgradeWebSocket(request, { protocol: SUBPROTOCOL, idleTimeout: PING_SECONDS });
    connectionOf(socket).then((connection) => accept(connection, claims)).catch((error) =>
      log("debug", "runner.not_opened", { agentId: claims.subject, reason: reasonOf(error) })
    );
    return response;
  } catch (error) {
    return problem(400, "invalid", `Cannot upgrade to a WebSocket: ${reasonOf(error)}`);
  }
}
