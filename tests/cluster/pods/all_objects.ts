/** Every object of every kind in a namespace, by the API server's own word on which kinds there are. */
import * as z from "zod/mini";
import { findCluster } from "../../../adapters/cluster/config.ts";
import type { World } from "../world.ts";

const Groups = z.object({
  groups: z.array(z.object({ preferredVersion: z.object({ groupVersion: z.string() }) })),
});
const Resources = z.object({
  resources: z.array(z.object({
    name: z.string(),
    kind: z.string(),
    namespaced: z.boolean(),
    verbs: z._default(z.array(z.string()), []),
  })),
});
const AnyObject = z.looseObject({
  metadata: z.looseObject({ name: z.string(), uid: z.string(), resourceVersion: z.string() }),
});
const List = z.object({ items: z.nullish(z.array(AnyObject)) });

/** An object with its kind. */
export type Found = z.infer<typeof AnyObject> & { kind: string };

/** All that can be listed, as `Kind/name`; as whoever KUBECONFIG names. */
export async function allObjects(namespace: string): Promise<Record<string, Found>> {
  const never = new AbortController().signal;
  const config = await findCluster({ env: (name) => Deno.env.get(name) }, never);
  const { caCerts, cert, key } = await config.tls(never);
  const token = await config.token(never);
  const client = Deno.createHttpClient({
    http2: false,
    ...caCerts ? { caCerts } : {},
    ...cert && key ? { cert, key } : {},
  });
  const read = async <T extends z.ZodMiniType>(type: T, path: string): Promise<z.infer<T>> => {
    const headers = { accept: "application/json", ...token === undefined ? {} : { authorization: `Bearer ${token}` } };
    const response = await fetch(config.server + path, { client, headers });
    const text = await response.text();
    if (!response.ok) throw new Error(`Cannot read ${path}: HTTP ${response.status}: ${text.slice(0, 300)}`);
    return type.parse(JSON.parse(text));
  };
  try {
    const { groups } = await read(Groups, "/apis");
    const versions = ["/api/v1", ...groups.map(({ preferredVersion }) => `/apis/${preferredVersion.groupVersion}`)];
    const found: Record<string, Found> = {};
    for (const version of versions) {
      const { resources } = await read(Resources, version);
      const kinds = resources.filter(({ name, namespaced, verbs }) =>
        namespaced && verbs.includes("list") && !name.includes("/")
      );
      const lists = await Promise.all(
        kinds.map(({ name }) => read(List, `${version}/namespaces/${namespace}/${name}`)),
      );
      lists.forEach(({ items }, at) => {
        const kind = kinds[at]?.kind ?? "";
        for (const item of items ?? []) found[`${kind}/${item.metadata.name}`] = { ...item, kind };
      });
    }
    return found;
  } finally {
    client.close();
  }
}

/** What the runners of a world have made and what belongs to it, as `kind/name`, without what only tells of the past. */
export async function ourObjects({ namespace }: Pick<World, "namespace">): Promise<string[]> {
  const objects = await allObjects(namespace);
  return Object.keys(objects).filter((name) => !name.startsWith("Event/")).sort();
}
