/** What the cluster knows and when: a watch of the test's own, beside the engine's, with everybody's rights. */
import { systemClock } from "../../../adapters/clock.ts";
import type { ApiObject, Target } from "../../../adapters/cluster/target.ts";
import { listAndWatch } from "../../../adapters/cluster/watch.ts";
import type { World } from "../world.ts";

/** An object as a watch event carried it. */
export interface Seen {
  /** Milliseconds since the epoch, when it came here. */
  at: number;
  kind: "added" | "modified" | "deleted";
  object: ApiObject;
}

/** What came over the watches so far. */
export interface Witness {
  /** By resource, in their order. */
  seen(resource: string): readonly Seen[];
  /** The first one that fits. */
  first(resource: string, fits: (object: ApiObject) => boolean): Seen | undefined;
  close(): Promise<void>;
}

/** Watches these kinds of the world's namespace. */
export function openWitness({ admin }: World, targets: readonly Target[]): Witness {
  const ending = new AbortController();
  const all = new Map<string, Seen[]>(targets.map(({ resource }) => [resource, []]));
  const options = { clock: systemClock, log: () => {}, random: { float: () => 0.5 } };

  async function follow(target: Target): Promise<void> {
    for await (const event of listAndWatch(admin, target, options, ending.signal)) {
      if (event.kind === "listed" || event.object === undefined) continue;
      all.get(target.resource)?.push({ at: Date.now(), kind: event.kind, object: event.object });
    }
  }

  const watches = targets.map((target) =>
    follow(target).catch((error) => {
      if (!ending.signal.aborted) throw error;
    })
  );
  const seen = (resource: string) => all.get(resource) ?? [];
  return {
    seen,
    first: (resource, fits) => seen(resource).find(({ object }) => fits(object)),
    async close() {
      ending.abort(new Error("the test is over"));
      await Promise.all(watches);
    },
  };
}
