/** Ending runs: because a stop was asked, a deadline passed, or nothing will come of them. */
import { isFault } from "../../../mod/fault.ts";
import type { Clock } from "../../../mod/ports.ts";
import { isTerminal } from "../../../mod/run.ts";
import type { ClusterAccess } from "../../cluster/port.ts";
import type { ApiObject } from "../../cluster/target.ts";
import type { Dialect, EndingWrite } from "./dialect.ts";
import type { RunFacts } from "./facts.ts";
import type { Look, Looks } from "./look.ts";
import { ANNOTATIONS } from "./marks.ts";
import type { Store } from "./store.ts";
import { hasBegun, hasEnded } from "./view.ts";

/** Why a run is ended: `stop`, `deadline`, or the code of what is wrong with it. */
export interface EndedBy {
  by: string;
  message: string;
}

/** Ends runs. */
export interface Endings {
  /**
   * Asks the run to end; answers it as it is after the writes. One that has ended, or is ended already, is left as it is
   * (`harder`: its pods did not obey, so the engine itself is told).
   */
  end(object: ApiObject, why: EndedBy, signal: AbortSignal, options?: { harder?: boolean }): Promise<Look | undefined>;
}

/** What ending needs. */
export interface EndingsOptions {
  access: ClusterAccess;
  namespace: string;
  dialect: Dialect;
  looks: Looks;
  store: Store;
  clock: Clock;
}

/** Endings over one namespace. */
export function createEndings({ access, namespace, dialect, looks, store, clock }: EndingsOptions): Endings {
  return {
    async end(object, { by, message }, signal, { harder = false } = {}) {
      const look = await looks.at(object, signal);
      if (look === undefined || isTerminal(look.standing.state)) return look;
      const { facts } = look;
      const { endedBy } = facts.marks;
      // The first reason counts: what was ended by its deadline is not stopped by a later stop.
      if (endedBy !== undefined && !harder) return look;
      const annotations: Record<string, string> = endedBy !== undefined ? {} : {
        [ANNOTATIONS.endedBy]: by,
        [ANNOTATIONS.endedMessage]: message.slice(0, 2000),
        [ANNOTATIONS.endedAt]: new Date(clock.now()).toISOString(),
      };
      // The engine has done all that it does and the process goes on (Argo kills from within, where a first process is
      // immune): it goes with the object, which goes once its end is told.
      if (harder && hasGivenUp(facts)) annotations[ANNOTATIONS.removed] = "true";
      // While it mounts volumes and pulls images the kubelet heeds no deadline, for minutes; there is no log to keep yet.
      const pods = look.pods.filter((pod) => !hasEnded(pod))
        .map((pod) => ({ name: pod.name, started: !harder && hasBegun(pod) }));
      let newest = object;
      const write = async ({ kind, name, patch }: EndingWrite): Promise<void> => {
        const answer = await access.patch({ ...kind, namespace, name }, patch, signal);
        if (kind === dialect.runs) newest = answer;
      };
      try {
        for (const ending of dialect.ending(facts, annotations, pods)) await write(ending);
      } catch (error) {
        if (isFault(error, "denied") && pods.length > 0) {
          // Without the right to end its pods (the engine that was there before us) the run itself is ended.
          for (const ending of dialect.ending(facts, annotations, [])) await write(ending);
        } else if (!isFault(error, "not_found")) throw error;
        // What went meanwhile has ended; a run that went is told as such by the watch.
      }
      store.put(newest);
      return await looks.at(newest, signal);
    },
  };
}

function hasGivenUp({ phase }: RunFacts): boolean {
  return phase === "succeeded" || phase === "failed";
}
