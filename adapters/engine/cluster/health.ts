/** Whether the engine can do its work: the watches, the API server, and whether anybody picks up what we create. */
import { reasonOf } from "../../../mod/fault.ts";
import type { Clock, EngineHealth } from "../../../mod/ports.ts";
import type { ClusterAccess } from "../../cluster/port.ts";
import type { Dialect } from "./dialect.ts";
import { ownLabels, selectorOf } from "./marks.ts";
import type { Store } from "./store.ts";
import type { Watches } from "./watches.ts";

/** What health looks at. */
export interface HealthOptions {
  agentId: string;
  access: ClusterAccess;
  namespace: string;
  dialect: Dialect;
  store: Store;
  watches: Watches;
  clock: Clock;
}

/** Looks after the engine. */
export interface Health {
  look(signal: AbortSignal): Promise<EngineHealth>;
  /** The API version that the engine speaks. */
  version(): string;
}

/** A controller that is at work gives a new object its status within seconds. */
const UNTOUCHED_MS = 60_000;

/** Health of one engine. */
export function createHealth({ agentId, access, namespace, dialect, store, watches, clock }: HealthOptions): Health {
  const version = dialect.runs.apiVersion;
  const well = (message: string): EngineHealth => ({ healthy: true, version, message });
  const ill = (message: string): EngineHealth => ({ healthy: false, version, message });
  return {
    version: () => version,
    async look(signal) {
      const trouble = watches.trouble();
      if (trouble !== undefined) return ill(trouble);
      try {
        await access.page({ ...dialect.runs, namespace }, {
          labelSelector: selectorOf(ownLabels(agentId)),
          limit: 1,
          metadataOnly: true,
        }, signal);
      } catch (error) {
        signal.throwIfAborted();
        return ill(reasonOf(error));
      }
      let live = 0, untouched = 0;
      for (const { facts, standing, pods, seenAt } of store.live()) {
        if (standing.state !== "queued" && standing.state !== "running") continue;
        live++;
        const isUntouched = facts.phase === "pending" && facts.startedAt === undefined && pods.length === 0;
        if (isUntouched && clock.now() - seenAt > UNTOUCHED_MS) untouched++;
      }
      if (untouched > 0) {
        return ill(
          `${untouched} runs were picked up by no ${CONTROLLERS[dialect.engine]}; look whether it runs and watches ` +
            `namespace ${namespace}`,
        );
      }
      return well(`${live} runs live in namespace ${namespace}`);
    },
  };
}

const CONTROLLERS = { argo: "Argo workflow-controller", kubernetes: "Job controller" } as const;
