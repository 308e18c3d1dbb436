/** Where the fake API server keeps its objects: one revision for all, and every change since the last that is forgotten. */
import type { Stored } from "./api_objects.ts";

/** One commit. */
export interface Change {
  rv: number;
  key: string;
  before?: Stored;
  after?: Stored;
}

/** Objects by key: `<collection>/<name>`. */
export interface ObjectStore {
  readonly revision: number;
  /** What is older was forgotten. */
  readonly oldest: number;
  readonly history: readonly Change[];
  get(key: string): Stored | undefined;
  /** Those of one collection, in the order of their creation. */
  under(collection: string): [key: string, object: Stored][];
  /** Every object there is. */
  all(): [key: string, object: Stored][];
  /** Stores the object under a new resource version, or takes it away; the store owns it from then on. */
  commit(key: string, after: Stored | undefined): Stored;
  /** Forgets all changes. */
  expire(): void;
  /** Is told every commit, at once; answers how to end that. */
  listen(listener: (change: Change) => void): () => void;
}

/** An empty one. */
export function createStore(): ObjectStore {
  const collections = new Map<string, Map<string, Stored>>();
  const listeners = new Set<(change: Change) => void>();
  const history: Change[] = [];
  let revision = 100, oldest = 100;

  const collectionOf = (key: string) => {
    const name = collectionName(key);
    const known = collections.get(name) ?? new Map<string, Stored>();
    collections.set(name, known);
    return known;
  };

  return {
    get revision() {
      return revision;
    },
    get oldest() {
      return oldest;
    },
    history,
    get: (key) => collections.get(collectionName(key))?.get(key),
    under: (collection) => [...collections.get(collection) ?? []],
    all: () => [...collections.values()].flatMap((objects) => [...objects]),
    commit(key, after) {
      const objects = collectionOf(key), before = objects.get(key);
      const rv = ++revision;
      const object = after ?? structuredClone(before);
      if (object === undefined) throw new Error(`Cannot delete ${key}: it is not there`);
      object.metadata = { ...object.metadata, resourceVersion: String(rv) };
      if (after) objects.set(key, object);
      else objects.delete(key);
      const change = { rv, key, ...before && { before }, ...after && { after: object } };
      history.push(change);
      for (const tell of [...listeners]) tell(change);
      return object;
    },
    expire() {
      oldest = ++revision;
      history.length = 0;
    },
    listen(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

/** The collection that a key belongs to. */
export function collectionName(key: string): string {
  return key.slice(0, key.lastIndexOf("/"));
}
