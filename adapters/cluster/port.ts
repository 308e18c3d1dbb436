/** What the engines see of a cluster: types only. */
import type { ApiObject, ApiVerb, Target } from "./target.ts";

/** Every method ends with the signal's reason when it aborts. */
export interface ClusterAccess {
  /** The namespace that is ours where none is named. */
  readonly namespace: string;
  get(target: Target, signal: AbortSignal): Promise<ApiObject>;
  /** Every object once, page after page; pages that the server forgot meanwhile are begun anew. */
  list(target: Target, options: ListOptions, signal: AbortSignal): AsyncGenerator<ApiObject, void>;
  /** One page, for those who watch from its resource version. */
  page(target: Target, options: ListOptions, signal: AbortSignal): Promise<Page>;
  create(target: Target, body: unknown, signal: AbortSignal): Promise<ApiObject>;
  /** A create whose answer is no stored object, such as a token request. */
  post(target: Target, body: unknown, signal: AbortSignal): Promise<unknown>;
  /** A JSON merge patch (RFC 7396), or with a list of operations a JSON Patch (RFC 6902). */
  patch(target: Target, patch: unknown, signal: AbortSignal): Promise<ApiObject>;
  delete(target: Target, options: DeleteOptions, signal: AbortSignal): Promise<void>;
  /**
   * An answer to be read as it comes, to its end or cancelled: logs and watches. Silence is the
   * reader's to notice. The signal should be the stream's own, aborted when it is done with.
   */
  open(verb: ApiVerb, target: Target, query: Query, signal: AbortSignal): Promise<ReadableStream<Uint8Array>>;
  /** Names of the resources that are served of an API version; none if it isn't served. */
  served(apiVersion: string, signal: AbortSignal): Promise<readonly string[]>;
  /** From now on over new connections: the old ones were silent. */
  renew(): void;
  /** Gives the connections back. */
  close(): void;
}

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

/** What to list, and how much at once. */
export interface ListOptions {
  labelSelector?: string;
  fieldSelector?: string;
  /** Objects on a page; 500 if not said. */
  limit?: number;
  continue?: string;
  /** Only `metadata` (PartialObjectMetadata). */
  metadataOnly?: boolean;
}

/** Part of a list; `resourceVersion` is that of the whole. */
export interface Page {
  items: ApiObject[];
  resourceVersion: string;
  continue?: string;
}

/** How to delete, in the API's own words. */
export interface DeleteOptions {
  propagationPolicy?: "Orphan" | "Background" | "Foreground";
  gracePeriodSeconds?: number;
  preconditions?: { uid?: string; resourceVersion?: string };
}
