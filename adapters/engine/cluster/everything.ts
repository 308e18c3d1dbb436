/** Every run that exists, acknowledged ones included, as the cluster has them now. */
import { isTerminal, type Run } from "../../../mod/run.ts";
import type { ClusterAccess } from "../../cluster/port.ts";
import type { Dialect } from "./dialect.ts";
import { type PodFacts, podFacts } from "./facts.ts";
import { PODS } from "./kinds.ts";
import { ownLabels, selectorOf } from "./marks.ts";
import type { Store } from "./store.ts";
import { standingOf, viewOf } from "./view.ts";

/** What the list is made of. */
export interface EverythingOptions {
  agentId: string;
  access: ClusterAccess;
  namespace: string;
  dialect: Dialect;
  store: Store;
}

/**
 * In no order. Of a failed run that was acknowledged long ago the log is not read again: its last lines are left out.
 */
export async function* listEverything(
  { agentId, access, namespace, dialect, store }: EverythingOptions,
  signal: AbortSignal,
): AsyncGenerator<Run> {
  const options = { labelSelector: selectorOf(ownLabels(agentId)), limit: 100 };
  const pods = new Map<string, PodFacts[]>();
  for await (const object of access.list({ ...PODS, namespace }, options, signal)) {
    const name = dialect.runOf(object), pod = podFacts(object);
    if (name !== undefined && pod) pods.set(name, [...pods.get(name) ?? [], pod]);
  }
  for await (const object of access.list({ ...dialect.runs, namespace }, options, signal)) {
    const entry = store.byName(object.metadata.name);
    const facts = dialect.facts(object);
    if (entry?.final && entry.facts.uid === object.metadata.uid) yield entry.final;
    else if (facts) {
      const view = viewOf(facts, standingOf(facts, pods.get(facts.name) ?? []));
      // What is told as ended is told with its reasons, once they are there.
      yield isTerminal(view.state) && entry?.told && !isTerminal(entry.told.state) ? entry.told : view;
    }
  }
}
