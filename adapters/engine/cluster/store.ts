/**
 * The engine's eye on its runs: two watches (runs that are not acknowledged, and our pods), of which only facts are
 * kept, and what follows from them. It decides nothing that cannot be taken back: before anything is deleted or
 * declared gone, a live look confirms it.
 */
import { isFault } from "../../../mod/fault.ts";
import type { Clock, Log } from "../../../mod/ports.ts";
import { isTerminal, type Run } from "../../../mod/run.ts";
import { orAbort } from "../../../mod/waiting.ts";
import type { ClusterAccess } from "../../cluster/port.ts";
import type { ApiObject } from "../../cluster/target.ts";
import type { WatchEvent } from "../../cluster/watch.ts";
import type { Feed } from "../feed.ts";
import type { Dialect } from "./dialect.ts";
import { evidenceOf } from "./evidence.ts";
import { POD_DELETED, type Trouble } from "./failures.ts";
import { type PodFacts, podFacts, type RunFacts } from "./facts.ts";
import { hasEnded, type Standing, standingOf, viewOf } from "./view.ts";

/** What is known of one run that is not acknowledged. */
export interface Entry {
  facts: RunFacts;
  version: string;
  pods: PodFacts[];
  standing: Standing;
  /** What events told of a run whose pod says nothing itself. */
  trouble?: Trouble;
  /** The view that was told last. */
  told?: Run;
  /** The terminal view: the first one is final. */
  final?: Run;
  /** Milliseconds by our clock, when this engine saw it first. */
  seenAt: number;
}

/** The runs of one engine that are not acknowledged. */
export interface Store {
  /** Takes in what the run watch says. */
  run(event: WatchEvent): void;
  /** Takes in what the pod watch says. */
  pod(event: WatchEvent): void;
  /** Takes in the answer to a write of our own, so that the next decision knows it; the facts if it is ours. */
  put(object: ApiObject): RunFacts | undefined;
  /** What events told of a run. */
  trouble(name: string, trouble: Trouble | undefined): void;
  /** It was told and marked. */
  forget(runId: string): void;
  byName(name: string): Entry | undefined;
  byRunId(runId: string): Entry | undefined;
  entries(): Iterable<Entry>;
  /** Both watches have listed, and every view is made. */
  ready(signal: AbortSignal): Promise<void>;
  /** Ends when what is under way has ended; for the end of the engine. */
  settled(): Promise<void>;
  /** Called after every change. */
  onChange(listener: () => void): void;
}

/** What the store works with. */
export interface StoreOptions {
  access: ClusterAccess;
  namespace: string;
  dialect: Dialect;
  feed: Feed;
  clock: Clock;
  log: Log;
  life: AbortSignal;
  /** A run of a schedule came into being. */
  minted(facts: RunFacts): void;
  /** A run has ended and its view is final. */
  ended(entry: Entry): void;
}

/** Pods of runs that we do not know (yet) are kept so long. */
const STRAY_MS = 60_000;

/** An empty store. */
export function createStore(options: StoreOptions): Store {
  const { access, namespace, dialect, feed, clock, log, life } = options;
  const entries = new Map<string, Entry>();
  const names = new Map<string, string>();
  const strays = new Map<string, { at: number; pods: PodFacts[] }>();
  const underWay = new Set<Promise<void>>();
  const listeners: (() => void)[] = [];
  const complete = Promise.withResolvers<void>();
  let runsListed = false, podsListed = false;
  const runIdOf = ({ marks, uid }: RunFacts) => marks.runId ?? uid;

  function tell(entry: Entry, run: Run): void {
    if (entry.told !== undefined && JSON.stringify(entry.told) === JSON.stringify(run)) return;
    entry.told = run;
    if (isTerminal(run.state)) {
      entry.final = run;
      options.ended(entry);
    }
    if (podsListed) feed.publish({ kind: "run", run });
  }

  /** Draws what follows from the facts. Before both lists are complete nothing does: a pod may still be missing. */
  function judge(entry: Entry): void {
    if (!podsListed || entry.final !== undefined) return;
    const standing = standingOf(entry.facts, entry.pods);
    const wasFailed = entry.standing.state === "failed";
    if (wasFailed) return;
    entry.standing = standing;
    if (standing.state === "failed") return explain(entry);
    const { trouble } = entry;
    const note = standing.state === "queued" && standing.reason === undefined && trouble && !entry.facts.marks.endedBy
      ? { reason: { code: trouble.code, message: trouble.message } }
      : {};
    tell(entry, viewOf(entry.facts, { ...standing, ...note }));
  }

  /** A failed run is told once what explains it is there. */
  function explain(entry: Entry): void {
    const work: Promise<void> = evidenceOf(entry.facts, entry.standing, options, life)
      .then((evidence) => tell(entry, viewOf(entry.facts, entry.standing, evidence)))
      .catch((error) => complain("store.explain", entry, error))
      .finally(() => {
        underWay.delete(work);
        changed();
      });
    underWay.add(work);
  }

  function complain(event: string, { facts }: Entry, error: unknown): void {
    if (!life.aborted) log("error", event, { runId: runIdOf(facts), error });
  }

  function changed(): void {
    for (const listener of listeners) listener();
  }

  function drop(entry: Entry): void {
    entries.delete(entry.facts.name);
    names.delete(runIdOf(entry.facts));
  }

  function put(object: ApiObject): RunFacts | undefined {
    const facts = dialect.facts(object);
    if (facts === undefined) return undefined;
    const known = entries.get(facts.name), version = object.metadata.resourceVersion;
    if (facts.marks.acknowledged) {
      if (known?.facts.uid === facts.uid) drop(known);
      return facts;
    }
    if (known?.facts.uid === facts.uid) {
      // Versions of one kind rise; what comes late must not undo what our own write answered.
      if (Number(version) < Number(known.version)) return facts;
      Object.assign(known, { facts, version });
      judge(known);
    } else {
      const pods = strays.get(facts.name)?.pods ?? [];
      strays.delete(facts.name);
      const entry: Entry = { facts, version, pods, standing: { state: "queued" }, seenAt: clock.now() };
      entries.set(facts.name, entry);
      names.set(runIdOf(facts), facts.name);
      if (facts.marks.origin === "schedule") options.minted(facts);
      judge(entry);
    }
    changed();
    return facts;
  }

  /** The watch says it is gone: it may have been acknowledged, or deleted. Only a live look knows. */
  function vanished(uid: string, name: string): void {
    const entry = entries.get(name);
    if (entry === undefined || entry.facts.uid !== uid) return;
    const work: Promise<void> = confirm(entry)
      .catch((error) => complain("store.confirm", entry, error))
      .finally(() => {
        underWay.delete(work);
        changed();
      });
    underWay.add(work);
  }

  async function confirm(entry: Entry): Promise<void> {
    for (;;) {
      try {
        const object = await access.get({ ...dialect.runs, namespace, name: entry.facts.name }, life);
        if (object.metadata.uid === entry.facts.uid) return void put(object);
        break;
      } catch (error) {
        if (isFault(error, "not_found")) break;
        life.throwIfAborted();
        await clock.sleep(1000, life);
      }
    }
    if (entries.get(entry.facts.name) !== entry) return;
    drop(entry);
    if (entry.final !== undefined || entry.standing.state === "failed") return;
    const finishedAt = new Date(clock.now()).toISOString();
    const { startedAt } = entry.standing;
    const stopped = entry.facts.marks.endedBy === "stop";
    const standing: Standing = {
      state: stopped ? "stopped" : "failed",
      reason: stopped
        ? { code: "Stopped", message: "A stop was asked" }
        : { code: "deleted", message: "The run's object was deleted before the run had ended" },
      finishedAt,
      ...startedAt === undefined ? {} : { startedAt },
    };
    tell(entry, viewOf(entry.facts, standing));
  }

  function takePod(object: ApiObject, isGone: boolean): void {
    const name = dialect.runOf(object);
    let facts = podFacts(object);
    if (name === undefined || facts === undefined) return;
    const entry = entries.get(name);
    const others = (entry?.pods ?? strays.get(name)?.pods ?? []).filter((pod) => pod.uid !== facts?.uid);
    if (isGone && !hasEnded(facts)) {
      // Taken away while it ran: an attempt that failed. One that never started is the engine's to make anew.
      facts = facts.main?.startedAt === undefined ? undefined : { ...facts, phase: "Failed", reason: POD_DELETED };
    }
    const pods = facts === undefined ? others : [...others, facts];
    if (entry) {
      entry.pods = pods;
      judge(entry);
      changed();
    } else if (podsListed) {
      strays.set(name, { at: clock.now(), pods });
      for (const [key, stray] of strays) if (clock.now() - stray.at > STRAY_MS) strays.delete(key);
    }
  }

  function list(): void {
    for (const entry of entries.values()) judge(entry);
    void (async () => {
      while (underWay.size > 0) await Promise.allSettled(underWay);
      complete.resolve();
      changed();
    })();
  }

  return {
    run(event) {
      if (event.kind === "listed") runsListed = true;
      else if (event.kind === "deleted") vanished(event.uid, event.name);
      else put(event.object);
    },
    pod(event) {
      if (event.kind === "listed") {
        if (!podsListed && runsListed) {
          podsListed = true;
          list();
        }
      } else if (event.kind !== "deleted") takePod(event.object, false);
      else if (event.object) takePod(event.object, true);
      else losePod(event.uid);
    },
    put,
    trouble(name, trouble) {
      const entry = entries.get(name);
      if (entry === undefined || entry.trouble?.message === trouble?.message) return;
      if (trouble) entry.trouble = trouble;
      else delete entry.trouble;
      judge(entry);
    },
    forget(runId) {
      const entry = entries.get(names.get(runId) ?? "");
      if (entry) drop(entry);
      feed.forget(runId);
    },
    byName: (name) => entries.get(name),
    byRunId: (runId) => entries.get(names.get(runId) ?? ""),
    entries: () => entries.values(),
    ready: (signal) => orAbort(complete.promise, signal),
    async settled() {
      while (underWay.size > 0) await Promise.allSettled(underWay);
    },
    onChange: (listener) => void listeners.push(listener),
  };

  /** Deleted while nobody looked. */
  function losePod(uid: string): void {
    for (const entry of entries.values()) {
      const pod = entry.pods.find((each) => each.uid === uid);
      if (pod === undefined) continue;
      const others = entry.pods.filter((each) => each !== pod);
      if (hasEnded(pod)) return;
      entry.pods = pod.main?.startedAt === undefined
        ? others
        : [...others, { ...pod, phase: "Failed", reason: POD_DELETED }];
      judge(entry);
      changed();
      return;
    }
  }
}
