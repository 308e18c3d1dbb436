/** `token …`: issue, list, revoke, rotate. A running server sees what is written here within a second. */
import { systemClock, systemRandom } from "../../../adapters/clock.ts";
import type { Storage } from "../../mod/ports.ts";
import type { TokenRecord } from "../../mod/records.ts";
import { openStorage } from "../sqlite/storage.ts";
import { openKeys } from "../tokens/keys.ts";
import { numberOf, readArguments, usage } from "./arguments.ts";
import { databaseOf, tokensOf } from "./compose.ts";

const DAY_MS = 24 * 3600 * 1000;
/** No token is issued for longer. */
const LONGEST_DAYS = 3650;

/** Carries out one of them; answers what is to be printed. Faults: `invalid` (usage), storage's. */
export async function tokenCommand(
  args: readonly string[],
  dataOf: (given: string | undefined) => string,
): Promise<string> {
  const { options, rest } = readArguments(args, {
    agent: "value",
    operator: "value",
    days: "value",
    data: "value",
    json: "flag",
  });
  const [verb, subject, ...more] = rest;
  if (more.length > 0) throw usage(`${more[0]} is one too many`);
  const data = dataOf(options.get("data"));
  switch (verb) {
    case "issue":
      return await withStorage(data, (storage) => issue(storage, data, options));
    case "list":
      return await withStorage(data, async (storage) => shown(await storage.tokens(), options.has("json")));
    case "revoke":
      if (!subject) throw usage("token revoke wants the token's JTI; see `token list`");
      return await withStorage(data, (storage) => revoke(storage, subject));
    case "rotate":
      return (await openKeys(`${data}/keys`, systemClock.now).rotate()).kid;
    default:
      throw usage(verb === undefined ? "token wants issue, list, revoke or rotate" : `there is no token ${verb}`);
  }
}

async function withStorage<T>(data: string, work: (storage: Storage) => Promise<T>): Promise<T> {
  const storage = openStorage(databaseOf(data));
  try {
    return await work(storage);
  } finally {
    await storage.close();
  }
}

async function issue(storage: Storage, data: string, options: ReadonlyMap<string, string>): Promise<string> {
  const agent = options.get("agent"), operator = options.get("operator");
  const subject = agent ?? operator;
  if (subject === undefined || subject === "" || (agent !== undefined && operator !== undefined)) {
    throw usage("token issue wants either --agent ID or --operator NAME");
  }
  const issuedAt = systemClock.now();
  const expiresAt = issuedAt + numberOf("days", options.get("days") ?? "365", 0.0001, LONGEST_DAYS) * DAY_MS;
  const scope = agent === undefined ? "operator" : "runner";
  const claims = { jti: systemRandom.uuid(), scope, subject, issuedAt, expiresAt } as const;
  const token = await tokensOf(data).sign(claims);
  const record: TokenRecord = {
    jti: claims.jti,
    scope,
    subject,
    issuedAt: new Date(issuedAt).toISOString(),
    expiresAt: new Date(expiresAt).toISOString(),
  };
  await storage.write(async (tx) => {
    await tx.putToken(record);
    await tx.addAudit({ at: record.issuedAt, actor: "command line", action: "token.issue", subject: record.jti });
  });
  return token;
}

async function revoke(storage: Storage, jti: string): Promise<string> {
  const now = systemClock.now(), at = new Date(now).toISOString();
  const isKnown = await storage.write(async (tx) => {
    const known = await tx.token(jti);
    // One that was issued after a backup, or that is not on record for another reason, must be stopped all the same.
    const expiresAt = new Date(now + LONGEST_DAYS * DAY_MS).toISOString();
    const record = known ?? { jti, scope: "unknown", subject: "", issuedAt: at, expiresAt } as const;
    await tx.putToken({ ...record, revokedAt: known?.revokedAt ?? at });
    await tx.addAudit({ at, actor: "command line", action: "token.revoke", subject: jti });
    return known !== undefined;
  });
  return isKnown ? `revoked ${jti}` : `revoked ${jti}: no such token is on record, and it will be refused if it comes`;
}

function shown(tokens: TokenRecord[], json: boolean): string {
  if (json) return JSON.stringify(tokens);
  const lines = tokens.map(({ jti, scope, subject, expiresAt, revokedAt }) =>
    `${jti}  ${scope.padEnd(8)}  ${subject}  expires ${expiresAt}${revokedAt === undefined ? "" : "  revoked"}`
  );
  return lines.length === 0 ? "no tokens" : lines.join("\n");
}
