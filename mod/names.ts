/**
 * Names of objects. Frozen by test vectors: another name for the same run would run it a second time.
 * Only hashes and short words reach a name; the full texts live in annotations.
 */
import { createHash } from "node:crypto";

/** `hr-<8 base32 of the agentId's hash>-<uuid without dashes>`: the name of a run's object. */
export function runName(agentId: string, runId: string): string {
  return `hr-${agentHash(agentId)}-${runId.replaceAll("-", "")}`;
}

/** `hr-<8>-<20 base32 of the pipeline id's hash>`: the name of a pipeline's object. */
export function pipelineName(agentId: string, pipelineId: string): string {
  return `hr-${agentHash(agentId)}-${hash32(pipelineId, 20)}`;
}

/** `<pipeline>-r<revision>`: the name of one deployed revision. */
export function revisionName(agentId: string, pipelineId: string, revision: number): string {
  return `${pipelineName(agentId, pipelineId)}-r${revision}`;
}

/** The first 8 base32 characters of SHA-256(agentId), lower case (RFC 4648, no padding). */
export function agentHash(agentId: string): string {
  return hash32(agentId, 8);
}

/** A UUID (version 8, RFC 9562) made from text alone, so that the same slot of a schedule has the same runId. */
export function uuidOf(text: string): string {
  const bytes = createHash("sha256").update(text, "utf8").digest().subarray(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = bytes.toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/** The runId of one slot of a schedule, where the engine makes it: the same after a restart, so that no slot runs twice. */
export function slotRunId(agentId: string, pipelineId: string, slot: string): string {
  return uuidOf(`${agentId}/${pipelineId}/${slot}`);
}

function hash32(text: string, length: number): string {
  return base32(createHash("sha256").update(text, "utf8").digest()).slice(0, length);
}

/** RFC 4648 base32, lower case, unpadded. */
export function base32(bytes: Uint8Array): string {
  const alphabet = "abcdefghijklmnopqrstuvwxyz234567";
  let text = "", bits = 0, held = 0;
  for (const byte of bytes) {
    held = (held << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += alphabet[(held >>> bits) & 31];
    }
    held &= (1 << bits) - 1;
  }
  return bits > 0 ? text + alphabet[(held << (5 - bits)) & 31] : text;
}
