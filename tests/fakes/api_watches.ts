/** Lists and watches of the fake API server, in the API's own bytes. */
import { matches, matchesFields, type Stored } from "./api_objects.ts";
import { Refusal } from "./api_status.ts";
import { type Change, collectionName, type ObjectStore } from "./api_store.ts";

/** What is asked for, and whether only `metadata` of it. */
export interface Selection {
  collection: string;
  query: URLSearchParams;
  metadataOnly: boolean;
}

/** Every open watch of one server. */
export interface Watches {
  open(selection: Selection): Response;
  cut(): void;
  /** Open ones stay open and tell nothing any more. */
  deafen(): void;
  bookmark(): void;
  count(): number;
  close(): void;
}

interface Watch {
  tell(change: Change): void;
  write(line: unknown): void;
  end(): void;
  deaf: boolean;
}

export function createWatches(store: ObjectStore): Watches {
  const watches = new Set<Watch>();
  const unlisten = store.listen((change) => {
    for (const watch of watches) watch.tell(change);
  });
  const cut = () => {
    for (const watch of [...watches]) watch.end();
  };
  return {
    open: (selection) => open(store, watches, selection),
    cut,
    deafen() {
      for (const watch of watches) watch.deaf = true;
    },
    bookmark() {
      const object = { metadata: { resourceVersion: String(store.revision) } };
      for (const watch of watches) if (!watch.deaf) watch.write({ type: "BOOKMARK", object });
    },
    count: () => watches.size,
    close() {
      cut();
      unlisten();
    },
  };
}

function open(store: ObjectStore, watches: Set<Watch>, { collection, query, metadataOnly }: Selection): Response {
  const from = Number(query.get("resourceVersion") ?? store.revision);
  const encoder = new TextEncoder();
  let self: Watch;
  const body = new ReadableStream<Uint8Array>({
    start(control) {
      self = {
        deaf: false,
        write: (line) => control.enqueue(encoder.encode(JSON.stringify(line) + "\n")),
        tell({ key, before, after, rv }) {
          if (self.deaf || collectionName(key) !== collection) return;
          const was = before !== undefined && isSelected(before, query);
          const is = after !== undefined && isSelected(after, query);
          const object = is ? after : was ? before : undefined;
          if (object === undefined) return;
          const told = { ...object, metadata: { ...object.metadata, resourceVersion: String(rv) } };
          const type = is ? (was ? "MODIFIED" : "ADDED") : "DELETED";
          self.write({ type, object: metadataOnly ? partial(told) : told });
        },
        end() {
          if (watches.delete(self)) control.close();
        },
      };
      watches.add(self);
      if (from < store.oldest) {
        const message = `too old resource version: ${from} (${store.oldest})`;
        const status = { kind: "Status", status: "Failure", message, reason: "Expired", code: 410 };
        self.write({ type: "ERROR", object: status });
        return self.end();
      }
      for (const change of store.history) if (change.rv > from) self.tell(change);
    },
    cancel: () => void watches.delete(self),
  });
  return new Response(body, { headers: { "content-type": "application/json" } });
}

/** One page. Throws a Refusal where the pages before it were forgotten. */
export function listed(store: ObjectStore, { collection, query, metadataOnly }: Selection): Response {
  const [from = "", at = String(store.revision)] = query.get("continue")?.split("|") ?? [];
  if (Number(at) < store.oldest) throw new Refusal(410, "Expired", "The provided continue parameter is too old");
  const limit = Number(query.get("limit") ?? 0) || Infinity;
  const all = store.under(collection)
    .filter(([key, object]) => key > from && isSelected(object, query))
    .sort(([a], [b]) => a < b ? -1 : 1);
  const items = all.slice(0, limit);
  const rest = all.length > items.length ? { continue: `${items.at(-1)?.[0]}|${at}` } : {};
  const kind = metadataOnly ? "PartialObjectMetadataList" : "List";
  return Response.json({
    kind,
    apiVersion: metadataOnly ? META : "v1",
    metadata: { resourceVersion: at, ...rest },
    items: items.map(([, object]) => metadataOnly ? partial(object) : item(object)),
  });
}

const META = "meta.k8s.io/v1";

/** The object as PartialObjectMetadata. */
export function partial({ metadata }: Stored): Record<string, unknown> {
  return { kind: "PartialObjectMetadata", apiVersion: META, metadata };
}

/** In a list of a built-in kind the items do not say what they are; those of custom resources do. */
function item(object: Stored): Record<string, unknown> {
  if (object.apiVersion?.split("/")[0]?.includes(".")) return object;
  const { kind: _, apiVersion: __, ...rest } = object;
  return rest;
}

function isSelected(object: Stored, query: URLSearchParams): boolean {
  return matches(object, query.get("labelSelector")) && matchesFields(object, query.get("fieldSelector"));
}
