/** What both cron controllers have in common: due slots, concurrency, and history. */
import { parseSchedule, type Schedule } from "../../../mod/schedule.ts";
import type { Stored } from "../api_objects.ts";
import { Refusal } from "../api_status.ts";
import { type Collection, controllerOf, type Workshop } from "./workshop.ts";

/** What a cron object says, whichever kind it is. */
export interface CronRules {
  schedules: Schedule[];
  isSuspended: boolean;
  policy: "Allow" | "Forbid" | "Replace";
  /** Slots up to this instant are dealt with, milliseconds. */
  since: number;
  /** How late a slot may still run, milliseconds; Infinity where nothing is said and all may. */
  latenessMs: number;
  /** How many ended ones are kept, good and bad. */
  history: { good: number; bad: number };
}

export interface CronOptions<C extends Stored, R extends Stored> {
  shop: Workshop;
  crons: Collection<C>;
  runs: Collection<R>;
  rules(cron: C): CronRules;
  /** How a run ended; undefined while it is live. */
  outcome(run: R): "good" | "bad" | undefined;
  /** Makes the run of a slot (milliseconds), and says so in the status. */
  mint(cron: C, slot: number): void;
  /** Brings the list of live runs in the status up to date. */
  tell(cron: C, active: R[]): void;
  /** A slot was not run for another run's sake. */
  forbidden?(cron: C): void;
}

const DELAY_MS = 20;

export function startCron<C extends Stored, R extends Stored>(options: CronOptions<C, R>): void {
  const { shop, crons, runs, rules, outcome, mint, tell, forbidden } = options;
  const alarms = new Map<string, AbortController>();

  shop.controller({
    delayMs: DELAY_MS,
    names(change) {
      const cron = crons.in(change);
      if (cron) {
        if (change.after === undefined) alarms.get(cron.metadata.uid)?.abort();
        return [cron.metadata.name];
      }
      const owner = runs.in(change)?.metadata.ownerReferences?.find(({ kind }) => kind === crons.kind.kind);
      return owner ? [owner.name] : [];
    },
    reconcile: (name) => look(name),
  });

  function look(name: string, wantedSlot?: number): void {
    const cron = crons.get(name);
    if (cron === undefined || cron.metadata.deletionTimestamp !== undefined) return;
    const { schedules, isSuspended, policy, since, latenessMs, history } = rules(cron);
    const mine = runs.all().filter((run) => controllerOf(run) === cron.metadata.uid);
    const active = mine.filter((run) => outcome(run) === undefined);
    tell(cron, active);
    tidy(mine, history);
    const now = shop.clock.now();
    if (!isSuspended) {
      const slot = wantedSlot ?? Math.max(...schedules.map((schedule) => schedule.latest(now) ?? -Infinity));
      const isDue = slot > since && (wantedSlot !== undefined || now - slot <= latenessMs);
      if (isDue && policy === "Forbid" && active.length > 0) forbidden?.(cron);
      else if (isDue) {
        if (policy === "Replace") { for (const { metadata } of active) runs.remove(metadata.name); }
        mintOnce(cron, slot);
      }
    }
    arm(cron, schedules);
  }

  function mintOnce(cron: C, slot: number): void {
    try {
      mint(cron, slot);
    } catch (error) {
      // The slot has its run already, perhaps from a cron object of the same name that was before.
      if (!(error instanceof Refusal && error.code === 409)) throw error;
    }
  }

  /** Wakes at the next slot, however the clock gets there. */
  function arm({ metadata: { name, uid } }: C, schedules: Schedule[]): void {
    alarms.get(uid)?.abort();
    const alarm = new AbortController();
    alarms.set(uid, alarm);
    const now = shop.clock.now();
    const next = Math.min(...schedules.map((schedule) => schedule.next(now) ?? Infinity));
    if (next === Infinity) return;
    const signal = AbortSignal.any([alarm.signal, shop.life]);
    shop.spawn(async () => {
      try {
        await shop.clock.sleep(next - now, signal);
      } catch {
        return;
      }
      const latest = schedules.map((schedule) => schedule.latest(shop.clock.now()) ?? -Infinity);
      look(name, Math.max(...latest));
    });
  }

  function tidy(mine: R[], history: CronRules["history"]): void {
    for (const kind of ["good", "bad"] as const) {
      const ended = mine.filter((run) => outcome(run) === kind && run.metadata.deletionTimestamp === undefined);
      for (const run of ended.slice(0, Math.max(0, ended.length - history[kind]))) {
        runs.remove(run.metadata.name, { propagationPolicy: "Background" });
      }
    }
  }
}

/** The schedule, or why it is none. */
export function scheduleOf(cron: string, timezone: string | undefined): Schedule | Error {
  try {
    return parseSchedule(cron, timezone);
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}
