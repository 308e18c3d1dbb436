/** A fake cluster with somebody who uses it over its API. */
import { createClusterAccess } from "../../adapters/cluster/access.ts";
import type { ClusterConfig } from "../../adapters/cluster/config.ts";
import type { ClusterAccess } from "../../adapters/cluster/port.ts";
import { systemClock } from "../../adapters/clock.ts";
import { EVENTS, type Kind, PODS } from "../../adapters/engine/cluster/kinds.ts";
import { type FakeCluster, fakeCluster, type FakeClusterOptions } from "../fakes/cluster/fake_cluster.ts";
import type { Pod } from "../fakes/cluster/objects.ts";
import { until } from "../wait.ts";
import { createSteppingClock, type SteppingClock } from "./stepping_clock.ts";

export interface Scene {
  readonly cluster: FakeCluster;
  readonly clock: SteppingClock;
  readonly access: ClusterAccess;
  create(kind: Kind, body: { metadata: { name: string } }): Promise<string>;
  patch(kind: Kind, name: string, patch: unknown): Promise<void>;
  remove(kind: Kind, name: string, propagationPolicy?: "Background" | "Foreground" | "Orphan"): Promise<void>;
  get<T>(kind: Kind, name: string): Promise<T | undefined>;
  all<T>(kind: Kind, labelSelector?: string): Promise<T[]>;
  /** Pods of a Job or a Workflow. */
  pods(owner: string): Promise<Pod[]>;
  events(about: string): Promise<{ reason: string; message: string }[]>;
  /** Waits until the object is so. */
  becomes<T>(kind: Kind, name: string, what: string, is: (object: T) => boolean | undefined): Promise<T>;
  /** The log, or the status and text of the refusal. */
  log(pod: string, query?: Record<string, string>): Promise<{ code: number; text: string }>;
  gone(kind: Kind, name: string): Promise<unknown>;
}

const never = new AbortController().signal;

/** The way to a fake API server with this token. */
export function configOf(url: string, namespace: string, token: string): ClusterConfig {
  return {
    ...{ server: url, namespace, source: "the test" },
    tls: () => Promise.resolve({}),
    token: () => Promise.resolve(token),
  };
}

/** Runs the test on a cluster of its own. */
export async function inCluster(
  test: (scene: Scene) => Promise<void>,
  options: Partial<FakeClusterOptions> = {},
): Promise<void> {
  const clock = createSteppingClock();
  const cluster = await fakeCluster({ clock, ...options });
  const { api, namespace } = cluster;
  const random = { float: () => 0.5 };
  const config = configOf(api.url, namespace, "admin");
  const access = createClusterAccess(config, { clock: systemClock, log: () => {}, random });
  const at = ({ apiVersion, resource }: Kind, name?: string) => {
    return { apiVersion, resource, namespace, ...name === undefined ? {} : { name } };
  };
  const get = async <T>(kind: Kind, name: string) =>
    await access.get(at(kind, name), never).catch((error) => {
      if (error.code !== "not_found") throw error;
    }) as T | undefined;
  const all = async <T>(kind: Kind, labelSelector?: string, fieldSelector?: string) => {
    const options = { ...labelSelector && { labelSelector }, ...fieldSelector && { fieldSelector } };
    return (await Array.fromAsync(access.list(at(kind), options, never))) as T[];
  };
  const scene: Scene = {
    ...{ cluster, clock, access, get, all },
    create: async (kind, body) => (await access.create(at(kind), body, never)).metadata.uid,
    patch: async (kind, name, patch) => void await access.patch(at(kind, name), patch, never),
    remove: (kind, name, propagationPolicy = "Background") =>
      access.delete(at(kind, name), { propagationPolicy }, never),
    pods: async (owner) =>
      (await all<Pod>(PODS)).filter(({ metadata }) => metadata.ownerReferences?.some(({ name }) => name === owner)),
    events: (about) => all(EVENTS, undefined, `involvedObject.name=${about}`),
    becomes: <T>(kind: Kind, name: string, what: string, is: (object: T) => boolean | undefined) =>
      until(`${name} ${what}`, async () => {
        const object = await get<T>(kind, name);
        return object !== undefined && is(object) && object;
      }, { patienceMs: 10_000 }),
    async log(pod, query = { container: "main" }) {
      const path = `${api.url}/api/v1/namespaces/${namespace}/pods/${pod}/log?${new URLSearchParams(query)}`;
      const answer = await fetch(path);
      const text = await answer.text();
      return { code: answer.status, text: answer.ok ? text : JSON.parse(text).message };
    },
    gone: (kind, name) =>
      until(`${name} is gone`, async () => await get(kind, name) === undefined, { patienceMs: 10_000 }),
  };
  try {
    await test(scene);
  } finally {
    access.close();
    await cluster.close();
  }
}
