/**
 * The audit log: one JSON line per decision on a stream of its own, each carrying the hash of the one before, so that a
 * line taken out or changed shows. The chain begins anew with each start, whose identity the first record carries.
 */
import { createHash } from "node:crypto";
import { canonicalJson } from "../mod/digest.ts";
import type { Audit } from "../mod/ports.ts";

/** What the log is made of: where lines go (each without its newline), the time in milliseconds since the epoch. */
export interface AuditOptions {
  write: (line: string) => void;
  now: () => number;
  /** Who writes: told in the first record. */
  start: { agentId: string; instanceId: string; version: string };
}

/** `hash` = SHA-256 (hex) of the canonical JSON (RFC 8785) of the record without `hash`; `previous` = the one before. */
export function createAudit({ write, now, start }: AuditOptions): Audit {
  let previous = "";
  const put = (record: Record<string, unknown>) => {
    const whole = { audit: 1, time: new Date(now()).toISOString(), ...record, previous };
    previous = createHash("sha256").update(canonicalJson(whole), "utf8").digest("hex");
    write(JSON.stringify({ ...whole, hash: previous }));
  };
  put({ method: "start", ...start });
  return (record) => put({ ...record });
}
