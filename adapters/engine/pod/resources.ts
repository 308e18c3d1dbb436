/** How much a job's container gets: what is said closest to the job counts, amount by amount. */
import { Fault } from "../../../mod/fault.ts";
import { amountOf } from "./words.ts";

/** Requests and limits as a container has them. */
export interface Amounts {
  requests: Record<string, string>;
  limits: Record<string, string>;
}

/** What one level says: the settings, a row, or the job. */
export interface SaidAmounts {
  requests?: Readonly<Record<string, string | undefined>>;
  limits?: Readonly<Record<string, string | undefined>>;
}

/**
 * The amounts of `levels`, the least specific first. Where a request is above its limit, the one said closer to the job
 * counts and the other follows: the API server would refuse the pod. Fault `invalid` where one level says both.
 */
export function resourcesOf(...levels: readonly (SaidAmounts | undefined)[]): Amounts {
  const requests = lastOf(levels.map((level) => level?.requests));
  const limits = lastOf(levels.map((level) => level?.limits));
  for (const [name, request] of requests) {
    const limit = limits.get(name);
    if (limit === undefined || amountOf(request.amount) <= amountOf(limit.amount)) continue;
    if (request.level === limit.level) {
      const reason =
        `the request ${request.amount} is above the limit ${limit.amount}; ask for less or raise the limit`;
      throw new Fault("invalid", `Cannot give the job its ${name}: ${reason}`, { path: `resources.requests.${name}` });
    }
    if (request.level > limit.level) limits.set(name, request);
    else requests.set(name, limit);
  }
  return { requests: amounts(requests), limits: amounts(limits) };
}

interface Said {
  amount: string;
  level: number;
}

function lastOf(levels: readonly SaidAmounts["limits"][]): Map<string, Said> {
  const all = new Map<string, Said>();
  for (const [level, amounts] of levels.entries()) {
    for (const [name, amount] of Object.entries(amounts ?? {})) {
      if (amount !== undefined) all.set(name, { amount, level });
    }
  }
  return all;
}

function amounts(said: Map<string, Said>): Record<string, string> {
  return Object.fromEntries([...said].map(([name, { amount }]) => [name, amount]));
}
