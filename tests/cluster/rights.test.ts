/**
 * Least privilege on a real API server, in both directions: what the table below says is allowed, and everything else
 * is refused. The table is written by hand (engines.md, "Rights"), so that a slip in rights.ts shows.
 */
import assert from "node:assert/strict";
import type { ClusterEngine } from "../../adapters/engine/cluster/rights.ts";
import { isFault } from "../../mod/fault.ts";
import { test } from "../limited.ts";
import { type Account, openWorld, type ResourceAttributes, type World } from "./world.ts";

const never = new AbortController().signal;
const CANARY = "canary-58d0c1ee-do-not-show";
const VERBS = ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"];
const FULL = "create get list watch patch delete";
const OTHER = "get list patch delete";

/** GROUP/RESOURCE → the verbs, all others being refused. */
type Table = Readonly<Record<string, string>>;

const GRANTED: Record<ClusterEngine, Record<Account, Table>> = {
  argo: {
    runner: {
      "argoproj.io/workflows": FULL,
      "argoproj.io/cronworkflows": FULL,
      "apps/controllerrevisions": FULL,
      "/pods": "get list watch",
      "/pods/log": "get",
      "/events": "get list",
      "/secrets": "create",
      "batch/jobs": OTHER,
      "batch/cronjobs": OTHER,
    },
    ingestion: { "argoproj.io/workflowtaskresults": "create patch", "/secrets": "get" },
  },
  kubernetes: {
    runner: {
      "batch/jobs": FULL,
      "batch/cronjobs": FULL,
      "apps/controllerrevisions": FULL,
      "/pods": "get list watch patch",
      "/pods/log": "get",
      "/events": "get list",
      "/secrets": "create",
      "argoproj.io/workflows": OTHER,
      "argoproj.io/cronworkflows": OTHER,
    },
    ingestion: { "/secrets": "get" },
  },
};

/** What an account is asked about besides: what is granted to others, and what somebody who took it over would want. */
const TEMPTING = [
  ...[
    "/configmaps",
    "/serviceaccounts",
    "/serviceaccounts/token",
    "/persistentvolumeclaims",
    "/services",
    "/endpoints",
  ],
  ...["/pods/exec", "/pods/attach", "/pods/portforward", "/pods/eviction", "/pods/ephemeralcontainers", "/pods/status"],
  ...["/replicationcontrollers", "/resourcequotas", "/limitranges", "/podtemplates", "/namespaces", "/nodes"],
  ...["apps/deployments", "apps/daemonsets", "apps/statefulsets", "apps/replicasets", "batch/jobs/status"],
  ...["argoproj.io/workflowtemplates", "argoproj.io/workflowtasksets", "argoproj.io/workfloweventbindings"],
  ...["argoproj.io/workflowartifactgctasks", "coordination.k8s.io/leases", "networking.k8s.io/networkpolicies"],
  ...["rbac.authorization.k8s.io/roles", "rbac.authorization.k8s.io/rolebindings", "policy/poddisruptionbudgets"],
  ...["rbac.authorization.k8s.io/clusterroles", "rbac.authorization.k8s.io/clusterrolebindings"],
  ...["certificates.k8s.io/certificatesigningrequests", "apiextensions.k8s.io/customresourcedefinitions"],
  "admissionregistration.k8s.io/validatingwebhookconfigurations",
];
const ALL = [
  ...new Set([...TEMPTING, ...Object.values(GRANTED).flatMap((each) => Object.values(each).flatMap(Object.keys))]),
];

const attributesOf = (resource: string, verb: string): ResourceAttributes => {
  const [group = "", kind = "", subresource] = resource.split("/");
  return { verb, group, resource: kind, ...subresource === undefined ? {} : { subresource } };
};

function rights(name: string, engine: ClusterEngine, work: (world: World) => Promise<void>): void {
  test(`cluster/rights: ${engine}: ${name}`, async () => {
    const world = await openWorld({ engine });
    try {
      await work(world);
    } finally {
      await world.close();
    }
  });
}

for (const engine of ["argo", "kubernetes"] as const) {
  rights("each account may do what the table says, and nothing else", engine, async (world) => {
    for (const account of ["runner", "ingestion"] as const) {
      const access = await world.accessAs(account);
      const table = GRANTED[engine][account];
      const wrong: string[] = [];
      const ask = async (verb: string, resource: string, namespace: string, granted: boolean) => {
        const allowed = await world.may(access, { ...attributesOf(resource, verb), namespace });
        if (allowed !== granted) {
          wrong.push(`${verb} ${resource} in "${namespace}": ${allowed ? "allowed" : "refused"}`);
        }
      };
      for (const resource of ALL) {
        const granted = (table[resource] ?? "").split(" ");
        for (const verb of VERBS) await ask(verb, resource, world.namespace, granted.includes(verb));
        // Nowhere else, and not in the cluster as a whole ("" means all namespaces).
        for (const verb of ["get", "create"]) await ask(verb, resource, "default", false);
        for (const verb of ["list", "delete"]) await ask(verb, resource, "", false);
      }
      for (const verb of ["escalate", "bind"]) {
        await ask(verb, "rbac.authorization.k8s.io/roles", world.namespace, false);
      }
      await ask("impersonate", "/serviceaccounts", world.namespace, false);
      assert.deepEqual(wrong, [], `${account} of ${engine}`);
    }
  });

  rights("no request of the runner's gets anything of a Secret back but that it was created", engine, async (world) => {
    const { access, at, namespace } = world;
    const secret = (name: string) => ({ metadata: { name }, stringData: { value: CANARY } });
    const made = await access.create(at("secrets"), { ...secret("own"), immutable: true }, never);
    assert.equal(made.metadata.name, "own");
    await world.createSecret("foreign", { value: CANARY });
    const foreign = { ...at("secrets"), name: "foreign" };
    const foreground = { propagationPolicy: "Foreground" } as const;
    const refused: Record<string, () => Promise<unknown>> = {
      get: () => access.get(foreign, never),
      "get of its own": () => access.get({ ...foreign, name: "own" }, never),
      list: () => access.page(at("secrets"), {}, never),
      "list of names": () => access.page(at("secrets"), { metadataOnly: true }, never),
      watch: () => access.open("watch", at("secrets"), { watch: 1 }, never),
      patch: () => access.patch(foreign, {}, never),
      delete: () => access.delete(foreign, {}, never),
      "delete in the foreground": () => access.delete({ ...foreign, name: "own" }, foreground, never),
      "delete of all": () => access.delete(at("secrets"), {}, never),
      "create elsewhere": () => access.create({ ...at("secrets"), namespace: "default" }, secret("elsewhere"), never),
      "a token of another account": () =>
        access.post({ ...at("serviceaccounts"), name: "ingestion", subresource: "token" }, { spec: {} }, never),
      exec: () => access.post({ ...at("pods"), name: "any", subresource: "exec" }, {}, never),
      "its own Role": () =>
        access.patch({ ...at("roles", "rbac.authorization.k8s.io/v1"), name: "runner" }, { rules: [] }, never),
    };
    for (const [what, request] of Object.entries(refused)) {
      const error = await request().then(() => assert.fail(`${what} was allowed`), (error) => error);
      assert.ok(isFault(error, "denied"), `${what}: ${Deno.inspect(error)}`);
      assert.ok(!Deno.inspect(error, { depth: 20 }).includes(CANARY), `${what} shows the value`);
    }
    const taken = await access.create(at("secrets"), secret("foreign"), never).then(
      () => assert.fail("it was created twice"),
      (error) => error,
    );
    assert.ok(isFault(taken, "conflict"), Deno.inspect(taken));
    assert.ok(!Deno.inspect(taken, { depth: 20 }).includes(CANARY));
    assert.equal((await world.admin.get(foreign, never)).metadata.namespace, namespace, "it is still there");
  });

  rights("what the engine does is done with these rights", engine, async ({ access, at, engine }) => {
    const [group, runs, schedules] = engine === "argo"
      ? ["argoproj.io/v1alpha1", "workflows", "cronworkflows"] as const
      : ["batch/v1", "jobs", "cronjobs"] as const;
    const metadata = (name: string) => ({ name, labels: { "hybrid-runner.dev/agent": "x" } });
    const revision = at("controllerrevisions", "apps/v1");
    const owner = await access.create(revision, { metadata: metadata("rev"), revision: 1, data: { a: 1 } }, never);
    const ownerReferences = [{
      apiVersion: "apps/v1",
      kind: "ControllerRevision",
      name: "rev",
      uid: owner.metadata.uid,
    }];
    await access.create(at("secrets"), { metadata: { name: "document", ownerReferences } }, never);
    const bodies = engine === "argo" ? argoBodies : jobBodies;
    for (const [resource, { kind, spec }] of [[runs, bodies.run], [schedules, bodies.schedule]] as const) {
      const target = { ...at(resource, group), name: "one" };
      await access.create(at(resource, group), { apiVersion: group, kind, metadata: metadata("one"), spec }, never);
      await access.get(target, never);
      await access.patch(target, { metadata: { annotations: { "hybrid-runner.dev/accepted": "now" } } }, never);
      assert.equal((await access.page(at(resource, group), { metadataOnly: true }, never)).items.length, 1);
      const stop = new AbortController();
      const body = await access.open("watch", at(resource, group), { watch: 1, resourceVersion: "0" }, stop.signal);
      await body.cancel();
      stop.abort();
      await access.delete(target, { propagationPolicy: "Background" }, never);
    }
    await access.page(at("pods"), {}, never);
    await access.page(at("events"), {}, never);
    await access.delete({ ...revision, name: "rev" }, { propagationPolicy: "Background" }, never);
  });
}

const container = { name: "main", image: "localhost/busybox:local", command: ["true"] };
const pod = { template: { spec: { restartPolicy: "Never", containers: [container] } } };
// Born suspended: nothing is to run here.
const jobBodies = {
  run: { kind: "Job", spec: { suspend: true, ...pod } },
  schedule: { kind: "CronJob", spec: { schedule: "0 0 1 1 *", suspend: true, jobTemplate: { spec: pod } } },
};
const workflow = { entrypoint: "main", suspend: true, templates: [{ name: "main", container }] };
const argoBodies = {
  run: { kind: "Workflow", spec: workflow },
  schedule: { kind: "CronWorkflow", spec: { schedules: ["0 0 1 1 *"], suspend: true, workflowSpec: workflow } },
};
