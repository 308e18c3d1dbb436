/** Who holds a mutex (https://argo-workflows.readthedocs.io/en/release-3.7/synchronization/): one, the oldest first. */
import type { Workflow } from "./objects.ts";

/** The mutexes that a Workflow wants, by name. */
export function mutexesOf({ spec }: Workflow): string[] {
  return spec.synchronization?.mutexes?.map(({ name }) => name) ?? [];
}

/** True where nobody else of `live`, which stand in the order of their creation, holds or comes before. */
export function mayHold(workflow: Workflow, live: Workflow[]): boolean {
  return mutexesOf(workflow).every((name) => {
    const rivals = live.filter((one) => mutexesOf(one).includes(name));
    const holder = rivals.find(({ status }) => status?.synchronization?.mutex?.holding?.length);
    return (holder ?? rivals[0])?.metadata.uid === workflow.metadata.uid;
  });
}
