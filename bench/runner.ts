/** The whole runner in this process, with an engine in memory and a real WebSocket to whoever listens. */
import { createAudit } from "../adapters/audit.ts";
import { createWebSocketChannel } from "../adapters/channel/websocket.ts";
import { systemClock, systemRandom } from "../adapters/clock.ts";
import { createLog } from "../adapters/logging.ts";
import { literalToken } from "../adapters/token.ts";
import { allowAll } from "../mod/flow/policy.ts";
import { createRunner } from "../mod/flow/runner.ts";
import type { Engine, EngineLogs } from "../mod/ports.ts";
import { createRedactor } from "../mod/redact.ts";
import { referencesIn } from "../mod/secrets/document.ts";

/** Composed as `main.ts` does it; what it logs and audits is written nowhere. Resolves when it has stopped. */
export function runRunner(
  serverUrl: string,
  engine: Engine & Partial<EngineLogs>,
  stopping: AbortSignal,
): Promise<void> {
  const agentId = "bench", instanceId = "bench", version = "bench";
  const tokens = literalToken("bench");
  return createRunner({
    ...{ agentId, instanceId, version, engine, tokens, createRedactor },
    secretsProvider: "env",
    objectLifeSeconds: 3600,
    reconnectDelaySeconds: 1,
    maxConnectionSeconds: 7200,
    shutdownGraceSeconds: 5,
    channel: createWebSocketChannel({ serverUrl, tokens, clock: systemClock }),
    policy: allowAll,
    audit: createAudit({ write: () => {}, now: systemClock.now, start: { agentId, instanceId, version } }),
    secretNames: (document) => Promise.resolve(referencesIn(document)),
    clock: systemClock,
    random: systemRandom,
    log: createLog({
      level: "info",
      format: "json",
      write: () => {},
      redact: (line) => createRedactor().line(line),
      now: systemClock.now,
    }),
  }).run(stopping);
}
