/** The suite can fail on the cluster engines too: each sabotage of a dialect fails the check that is named for it. */
import assert from "node:assert/strict";
import { argoDialect } from "../../adapters/engine/argo/dialect.ts";
import type { Dialect } from "../../adapters/engine/cluster/dialect.ts";
import { ANNOTATIONS } from "../../adapters/engine/cluster/marks.ts";
import { kubernetesDialect } from "../../adapters/engine/kubernetes/dialect.ts";
import { engineChecks, runCheck } from "../contract/engine.ts";
import { makeClusterHarness } from "./cluster_harness.ts";
import { openFakeWorld } from "./cluster_world.ts";

interface Tooth {
  sabotage: string;
  check: string;
  dialects: readonly Dialect[];
  change(dialect: Dialect): Partial<Dialect>;
}

const both = [kubernetesDialect, argoDialect];

const TEETH: Tooth[] = [
  {
    sabotage: "what must wait is not held",
    check: "runs of one pipeline exclude each other, in the order of their starts",
    dialects: [kubernetesDialect],
    change: (dialect) => ({ run: (plan) => dialect.run({ ...plan, held: false }) }),
  },
  {
    sabotage: "the mutual exclusion is forgotten",
    check: "runs of one pipeline exclude each other, in the order of their starts",
    dialects: [argoDialect],
    change: (dialect) => ({ run: ({ mutex: _, ...plan }) => dialect.run(plan) }),
  },
  {
    sabotage: "why a run is ended is not written down",
    check: "stop ends a running run",
    dialects: [kubernetesDialect],
    change: (dialect) => ({ ending: (facts, _annotations, pods) => dialect.ending(facts, {}, pods) }),
  },
  {
    sabotage: "a stop writes why and ends nothing",
    check: "stop ends a running run",
    dialects: both,
    change: (dialect) => ({
      ending: ({ name }, annotations) => [{ kind: dialect.runs, name, patch: { metadata: { annotations } } }],
    }),
  },
  {
    sabotage: "a waiting run is stopped in the way that does not reach it",
    check: "stop ends a waiting run, and it never runs",
    dialects: [kubernetesDialect],
    change: (dialect) => ({ ending: (facts, why, pods) => dialect.ending({ ...facts, phase: "running" }, why, pods) }),
  },
  {
    sabotage: "the content's digest is not read",
    check: "start is idempotent",
    dialects: [argoDialect],
    change: (dialect) => ({
      run(plan) {
        const { [ANNOTATIONS.contentDigest]: _, ...annotations } = plan.metadata.annotations;
        return dialect.run({ ...plan, metadata: { ...plan.metadata, annotations } });
      },
    }),
  },
  {
    sabotage: "the pods of a run are not found",
    check: "a failed run tells its exit code and last lines",
    dialects: both,
    change: () => ({ podsOf: () => "no=pods", runOf: () => undefined }),
  },
  {
    sabotage: "the slot of a minted run is not read",
    check: "a slot mints one run, also across a restart",
    dialects: both,
    change: (dialect) => ({ facts: (object) => withoutSlot(dialect.facts(object)) }),
  },
  {
    sabotage: "a schedule that is off is made as if it were on",
    check: "a schedule that is off mints nothing",
    dialects: both,
    change: (dialect) => ({ schedule: (plan) => dialect.schedule({ ...plan, enabled: true }) }),
  },
  {
    sabotage: "the executor's lines pass as the job's",
    check: "a followed log is whole, in order, and ends with the run",
    dialects: [argoDialect],
    change: () => ({ ownLines: () => () => false }),
  },
];

function withoutSlot(facts: ReturnType<Dialect["facts"]>): ReturnType<Dialect["facts"]> {
  if (facts === undefined) return undefined;
  const { scheduledAt: _, ...marks } = facts.marks;
  return { ...facts, marks };
}

for (const { sabotage, check, dialects, change } of TEETH) {
  for (const dialect of dialects) {
    Deno.test({
      name: `engine contract has teeth, ${dialect.engine}: ${sabotage}`,
      sanitizeOps: true,
      sanitizeResources: true,
      fn: async () => {
        const known = engineChecks[check];
        assert(known, `there is a check named "${check}"`);
        const make = async () => {
          const world = await openFakeWorld(dialect.engine);
          return makeClusterHarness({ ...world, patienceMs: 3000 }, { ...dialect, ...change(dialect) });
        };
        await assert.rejects(runCheck(known, make, 60_000));
      },
    });
  }
}
