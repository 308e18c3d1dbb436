/**
 * The engine's eye on its runs: two watches (runs that are not acknowledged, and our pods), of which only facts are
 * kept, and what follows from them. Before anything is declared gone, a live look confirms it.
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
import { createErrands } from "./errands.ts";
import { evidenceOf } from "./evidence.ts";
import type { Trouble } from "./failures.ts";
import { type PodFacts, podFacts, type RunFacts } from "./facts.ts";
import { createRecent } from "./recent.ts";
import { createStrays } from "./strays.ts";
import { deletedStanding, type Standing, standingOf, viewOf, whatIsLeft, withNote } from "./view.ts";

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
  /** Those that have not ended: few, where thousands have. */
  live(): Iterable<Entry>;
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

/** An empty store. */
export function createStore(options: StoreOptions): Store {
  const { access, namespace, dialect, feed, clock, log, life } = options;
  const entries = new Map<string, Entry>();
  const live = new Set<Entry>();
  const names = new Map<string, string>();
  const strays = createStrays(clock);
  const gone = createRecent();
  const errands = createErrands({ log, life, done: () => changed() });
  const listeners: (() => void)[] = [];
  const complete = Promise.withResolvers<void>();
  let runsListed = false, podsListed = false;
  const runIdOf = ({ marks, uid }: RunFacts) => marks.runId ?? uid;

  function tell(entry: Entry, run: Run): void {
    if (entry.told !== undefined && JSON.stringify(entry.told) === JSON.stringify(run)) return;
    entry.told = run;
    if (isTerminal(run.state)) {
      entry.final = run;
      // Kilobytes of each of thousands, which nothing looks at any more.
      entry.pods = [];
      options.ended(entry);
    }
    if (podsListed) feed.publish({ kind: "run", run });
  }

  /** Draws what follows from the facts. Before both lists are complete nothing does: a pod may still be missing. */
  function judge(entry: Entry): void {
    if (!podsListed || entry.final !== undefined) return;
    // It failed already, and what explains that is being looked up.
    if (entry.standing.state === "failed") return;
    entry.standing = standingOf(entry.facts, entry.pods);
    if (isTerminal(entry.standing.state)) live.delete(entry);
    if (entry.standing.state === "failed") explain(entry);
    else tell(entry, viewOf(entry.facts, withNote(entry.standing, entry.trouble)));
  }

  /** A failed run is told once what explains it is there. */
  function explain(entry: Entry): void {
    errands.run("store.explain", runIdOf(entry.facts), async () => {
      tell(entry, viewOf(entry.facts, entry.standing, await evidenceOf(entry.facts, entry.standing, options, life)));
    });
  }

  function changed(): void {
    if (!podsListed) return;
    for (const listener of listeners) listener();
  }

  function drop(entry: Entry): void {
    entries.delete(entry.facts.name);
    live.delete(entry);
    gone.add(entry.facts.uid);
    names.delete(runIdOf(entry.facts));
  }

  function put(object: ApiObject): RunFacts | undefined {
    const facts = dialect.facts(object);
    // An event that comes late must not bring back what was acknowledged or deleted.
    if (facts === undefined || gone.has(facts.uid)) return facts;
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
      const pods = strays.take(facts.name);
      const entry: Entry = { facts, version, pods, standing: { state: "queued" }, seenAt: clock.now() };
      entries.set(facts.name, entry);
      live.add(entry);
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
    errands.run("store.confirm", runIdOf(entry.facts), () => confirm(entry));
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
    const standing = deletedStanding(entry.facts, entry.standing, new Date(clock.now()).toISOString());
    tell(entry, viewOf(entry.facts, standing));
  }

  function takePod(object: ApiObject, isGone: boolean): void {
    const name = dialect.runOf(object);
    const facts = podFacts(object);
    if (name === undefined || facts === undefined) return;
    const entry = entries.get(name);
    const others = (entry?.pods ?? strays.of(name)).filter((pod) => pod.uid !== facts.uid);
    const kept = isGone ? whatIsLeft(facts) : facts;
    const pods = kept === undefined ? others : [...others, kept];
    if (entry) havePods(entry, pods);
    else if (podsListed) strays.put(name, pods);
  }

  function havePods(entry: Entry, pods: PodFacts[]): void {
    if (entry.final) return;
    entry.pods = pods;
    judge(entry);
    changed();
  }

  function list(): void {
    for (const entry of entries.values()) judge(entry);
    void errands.settled().then(() => {
      complete.resolve();
      changed();
    });
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
    live: () => live,
    ready: (signal) => orAbort(complete.promise, signal),
    settled: errands.settled,
    onChange: (listener) => void listeners.push(listener),
  };

  /** Deleted while nobody looked. */
  function losePod(uid: string): void {
    for (const entry of entries.values()) {
      const pod = entry.pods.find((each) => each.uid === uid);
      if (pod === undefined) continue;
      return havePods(entry, entry.pods.flatMap((each) => each === pod ? whatIsLeft(pod) ?? [] : each));
    }
  }
}
