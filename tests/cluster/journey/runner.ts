/** A runner with a cluster engine as a real process, with the rights of its account and nothing else. */
import * as z from "zod/mini";
import { type Program } from "../../journeys/process.ts";
import { runnerOn } from "../../journeys/programs.ts";
import { until } from "../../wait.ts";
import type { World } from "../world.ts";
import { GATE, settingsText } from "./job.ts";
import type { EngineKind } from "./journey.ts";
import type { Objects } from "./objects.ts";

/** The runner and all processes that it ever was. */
export interface ClusterRunner {
  program(): Program;
  /** Starts it with this engine, or with the one that it had. Resolves when it says that it has started. */
  start(engine?: EngineKind): Promise<void>;
  kill(): Promise<void>;
  /** Waits for an event of its present process's log. */
  event(name: string, from?: number): Promise<Record<string, unknown>>;
  /** What all its processes wrote. */
  output(): string;
  /** Puts another token of its account into the file that its kubeconfig names. */
  renewToken(): Promise<void>;
  /** The API server refuses the former tokens from now on, with `all` also the one in the file. */
  revokeTokens(options?: { all?: boolean }): Promise<void>;
  /** Every token that it ever had. */
  tokens(): string[];
}

/** What a runner is started with. */
export interface ClusterRunnerOptions {
  world: World;
  agentId: string;
  folder: string;
  /** For the control plane, which listens on `port`. */
  token: string;
  port: number;
  env: Record<string, string>;
  /** The API server's address, if not the real one. */
  server: string | undefined;
}

/** A token, and the Secret that it ends with. */
interface Badge {
  name: string;
  token: string;
  revoked: boolean;
}

const EXECUTORS: Readonly<Record<EngineKind, string>> = { argo: "argo", kubernetes: "simpleK8s" };
const never = new AbortController().signal;
const Token = z.object({ status: z.object({ token: z.string() }) });

/** A runner that is not started yet. */
export async function clusterRunnerOn(options: ClusterRunnerOptions): Promise<ClusterRunner> {
  const { world, agentId, folder, token, port, server } = options;
  const settings = `${folder}/cluster-settings.yaml`, kubeconfig = `${folder}/kubeconfig`;
  await Deno.writeTextFile(settings, settingsText());
  const badges: Badge[] = [];
  await issue();
  await Deno.writeTextFile(kubeconfig, await kubeconfigText());

  const env = {
    KUBECONFIG: kubeconfig,
    INGESTION_NAMESPACE: world.namespace,
    INGESTION_SERVICE_ACCOUNT_NAME: "ingestion",
    HYBRID_RUNNER_SETTINGS: settings,
    HYBRID_RUNNER_STATE_DIR: "",
    SECRETS_DIR: "",
    SECRETS_MANAGER: "kubernetes",
    ...options.env,
  };
  type Former = Awaited<ReturnType<typeof runnerOn>>;
  const all: Former[] = [];
  const current = () => {
    const last = all.at(-1);
    if (last === undefined) throw new Error("Cannot use the runner: it was not started");
    return last;
  };
  return {
    program: () => current().program(),
    event: (name, from) => current().event(name, from),
    output: () => all.map((each) => each.output()).join("\n"),
    kill: () => current().program().kill(),
    async start(engine) {
      if (engine !== undefined) {
        all.push(
          await runnerOn({ agentId, folder, token, port, env: { ...env, EXECUTOR_TYPE: EXECUTORS[engine] } }),
        );
      }
      await current().start();
    },
    renewToken: issue,
    async revokeTokens({ all = false } = {}) {
      for (const badge of all ? badges : badges.slice(0, -1)) {
        if (badge.revoked) continue;
        badge.revoked = true;
        await world.admin.delete({ ...world.at("secrets"), name: badge.name }, {}, never);
        // It may be remembered as good for some seconds.
        await until("the end of the token", () => isRefused(badge.token), { patienceMs: 60_000, lookMs: 500 });
      }
    },
    tokens: () => badges.map(({ token }) => token),
  };

  /** A token that ends with a Secret, so that the real API server refuses it when the test wants. */
  async function issue(): Promise<void> {
    const name = `badge-${crypto.randomUUID().slice(0, 8)}`;
    const { metadata } = await world.admin.create(world.at("secrets"), { metadata: { name } }, never);
    const spec = {
      expirationSeconds: 7200,
      boundObjectRef: { apiVersion: "v1", kind: "Secret", name, uid: metadata.uid },
    };
    const target = { ...world.at("serviceaccounts"), name: "runner", subresource: "token" };
    const { status: { token } } = Token.parse(await world.admin.post(target, { spec }, never));
    // As a mounted token is changed: whole, by a rename.
    await Deno.writeTextFile(`${folder}/badge.new`, token);
    await Deno.rename(`${folder}/badge.new`, `${folder}/badge`);
    badges.push({ name, token, revoked: false });
  }

  async function isRefused(token: string): Promise<boolean> {
    const { caCerts } = await world.config.tls(never);
    using client = Deno.createHttpClient({ http2: false, ...caCerts ? { caCerts } : {} });
    const headers = { authorization: `Bearer ${token}` };
    const answer = await fetch(`${world.config.server}/api/v1`, { client, headers });
    await answer.body?.cancel();
    return answer.status === 401;
  }

  async function kubeconfigText(): Promise<string> {
    const { caCerts } = await world.config.tls(never);
    const cluster = server === undefined
      ? {
        server: world.config.server,
        ...caCerts?.[0] === undefined ? {} : { "certificate-authority-data": btoa(caCerts[0]) },
      }
      : { server };
    const name = "journey";
    return JSON.stringify({
      apiVersion: "v1",
      kind: "Config",
      "current-context": name,
      clusters: [{ name, cluster }],
      contexts: [{ name, context: { cluster: name, user: name, namespace: world.namespace } }],
      users: [{ name, user: { tokenFile: `${folder}/badge` } }],
    });
  }
}

/** Opens the gate of a run's pod as soon as there is one. */
export async function openGate(
  { admin, at }: Pick<World, "admin" | "at">,
  objects: () => Promise<Objects>,
  runId: string,
): Promise<void> {
  const pod = await until(`the pod of ${runId}`, async () => {
    const run = (await objects()).runs.find((each) => each.runId === runId);
    return run?.pods.at(-1);
  }, { patienceMs: 120_000, lookMs: 300 });
  const target = { ...at("pods"), name: pod.metadata.name };
  await admin.patch(target, { metadata: { annotations: { [GATE]: "open" } } }, never);
}
