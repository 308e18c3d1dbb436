/**
 * The judge: ends what will never come to anything. Argo goes on for ever with an image that cannot be pulled, and its
 * deadlines are not kept for pods that never start, so nothing of that is left to the engines. It looks at what the store
 * holds; the API server is asked only about runs that are suspicious, and before one is ended.
 */
import { isFault, reasonOf } from "../../../mod/fault.ts";
import type { Clock, Log } from "../../../mod/ports.ts";
import { isTerminal } from "../../../mod/run.ts";
import type { Endings } from "./endings.ts";
import { eventsOf, type EvidenceOptions } from "./evidence.ts";
import { type Trouble, troubleIn, troubleOf } from "./failures.ts";
import type { PodFacts } from "./facts.ts";
import type { Looks } from "./look.ts";
import type { Entry, Store } from "./store.ts";
import { hasBegun, hasEnded, inOrder } from "./view.ts";

/** What judging needs. */
export interface JudgeOptions extends EvidenceOptions {
  looks: Looks;
  endings: Endings;
  store: Store;
  /** How long a run may fail to start, seconds; what is hopeless is not waited for. */
  startDeadlineSeconds: number;
  clock: Clock;
  log: Log;
  life: AbortSignal;
}

/** Looks at every live run. */
export interface Judge {
  /** One look; answers the milliseconds until the next one. */
  round(): Promise<number>;
}

const LOOK_MS = 1_000;
/** A pod that says nothing for so long is asked about: its events tell of mounts and the like. */
const SUSPICIOUS_MS = 3_000;
/** Events of one run are read again after so long: what they tell is to be known within ten seconds. */
const EVENTS_MS = 7_000;
/** The engine's own deadline goes first: it keeps pod and log. */
const DEADLINE_SLACK_MS = 5_000;
/** What was asked to end and has not so long after its grace is ended the harder way. */
const HARDER_SLACK_MS = 20_000;
/** Kubernetes' own, where a pod does not say. */
const GRACE_SECONDS = 30;

/** A judge who has seen nothing yet. */
export function createJudge(options: JudgeOptions): Judge {
  const { looks, endings, store, startDeadlineSeconds, clock, log, life } = options;
  const asked = new Map<string, number>();
  const hardened = new Map<string, number>();

  async function end(entry: Entry, by: string, message: string, harder = false): Promise<void> {
    const { name, uid, marks } = entry.facts;
    const object = await looks.object(name, life);
    if (object === undefined || object.metadata.uid !== uid) return;
    log("info", "engine.ends_run", { runId: marks.runId ?? uid, reason: message, code: by });
    await endings.end(object, { by, message }, life, { harder });
  }

  /** What the events of a run say that its pod does not. */
  async function listen(entry: Entry, pod: PodFacts | undefined, isLate: boolean): Promise<void> {
    const { name, uid } = entry.facts, now = clock.now();
    if (!isLate && now - (asked.get(name) ?? -Infinity) < EVENTS_MS) return;
    asked.set(name, now);
    const events = await eventsOf(options, [pod?.uid ?? uid], life, { warnings: true });
    const newest = events.at(-1);
    if (newest === undefined) return;
    const known = events.toReversed().map((event) => troubleIn(event)).find((each) => each !== undefined);
    store.trouble(name, known ?? generic(newest));
  }

  async function look(entry: Entry): Promise<void> {
    const { facts, standing } = entry;
    const now = clock.now();
    const { endedBy, endedAt, deadlineSeconds } = facts.marks;
    if (endedBy !== undefined) {
      const grace = Math.max(0, ...entry.pods.map(({ graceSeconds = GRACE_SECONDS }) => graceSeconds));
      const since = Math.max(Date.parse(endedAt ?? facts.created), hardened.get(facts.name) ?? 0);
      if (now - since < grace * 1000 + HARDER_SLACK_MS) return;
      hardened.set(facts.name, now);
      return await end(entry, endedBy, "its pods do not end", true);
    }
    if (facts.phase === "held") return;
    const pods = inOrder(entry.pods), pod = pods.findLast((each) => !hasEnded(each));
    const began = Date.parse(pods[0]?.startTime ?? pods[0]?.created ?? facts.startedAt ?? facts.created);
    if (deadlineSeconds !== undefined && now - began > deadlineSeconds * 1000 + DEADLINE_SLACK_MS) {
      return await end(
        entry,
        "deadline",
        `The run took longer than its deadline of ${deadlineSeconds} s and was ended`,
      );
    }
    if (standing.startedAt !== undefined && pod?.main?.state === "running") return;
    // Between two attempts, or with a sidecar still at work, there is nothing to wait for.
    if (pod === undefined && pods.length > 0) return;

    const since = Date.parse(pod?.created ?? facts.startedAt ?? facts.created);
    let trouble = pod && troubleOf(pod);
    const isLate = now - since > startDeadlineSeconds * 1000 && !isAtWork(pod);
    // Of a pod whose volumes are there, what events said of them is no longer true.
    if (pod && hasBegun(pod)) store.trouble(facts.name, undefined);
    else if (trouble === undefined && now - since > SUSPICIOUS_MS) {
      await listen(entry, pod, isLate);
      trouble = entry.trouble;
    }
    if (trouble?.hopeless) return await end(entry, trouble.code, trouble.message);
    if (!isLate) return;
    const { code, message } = trouble ?? { code: "NotStarted", message: "The job's container did not start" };
    await end(entry, code, `${message} (not started within ${startDeadlineSeconds} s)`);
  }

  return {
    async round() {
      for (const entry of [...store.live()]) {
        if (isTerminal(entry.standing.state) || entry.facts.deleting) {
          asked.delete(entry.facts.name);
          continue;
        }
        try {
          await look(entry);
        } catch (error) {
          if (life.aborted) throw error;
          // One run that cannot be judged must not keep the others from it.
          const { marks, uid } = entry.facts;
          const level = isFault(error, "unavailable") ? "debug" : "warn";
          log(level, "engine.not_judged", { runId: marks.runId ?? uid, reason: reasonOf(error) });
        }
      }
      for (const times of [asked, hardened]) {
        for (const name of times.keys()) if (store.byName(name) === undefined) times.delete(name);
      }
      return LOOK_MS;
    },
  };
}

/** Our init container resolves: reading secrets has its own deadline. */
function isAtWork(pod: PodFacts | undefined): boolean {
  return pod?.main?.state === "running" || pod?.resolve?.state === "running";
}

function generic(event: string): Trouble {
  const at = event.indexOf(": ");
  return { code: event.slice(0, at).slice(0, 64) || "Warning", message: event.slice(at + 2), hopeless: false };
}
