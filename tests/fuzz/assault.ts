/** Frames over as many sessions as it takes, each held against what is prescribed for it. */
import type * as fc from "fast-check";
import { CLOSES } from "../../mod/protocol/closes.ts";
import type { Methods } from "../../mod/protocol/methods.ts";
import { within } from "../wait.ts";
import type { FarEnd } from "./far_end.ts";
import type { Sent } from "./frames.ts";
import { type Answer, type Verdict, verdictOn, wrongIn } from "./oracle.ts";
import { shown, type Tally } from "./telling.ts";

/** The end that the storm is aimed at. */
export interface Target {
  methods: Methods;
  frames: fc.Arbitrary<Sent>;
  /** A new session that is past its hello. */
  open(): Promise<FarEnd>;
  /** Just before the program is made to close the session. */
  beforeClose?(end: FarEnd): Promise<unknown>;
  /** The code with which the program closes the session over this frame, where it does. */
  closesOver?(verdict: Verdict): number | undefined;
}

/** Malformed frames that a session bears; one more and it is closed. */
const BUDGET = 100;
const FRAME_BYTES = 4 * 1024 * 1024;
const PATIENCE_MS = 60_000;

interface Expected {
  verdict: Verdict;
  /** The id as JSON; undefined where there is no answer. */
  key: string | undefined;
  frame: Sent;
  at: number;
}

/** A frame that was not treated as prescribed. */
export class Wrong extends Error {
  constructor(readonly frame: Sent, readonly at: number, reason: string) {
    super(reason);
  }
}

/** Sends frames, one session after the other, and throws `Wrong` for the first that is not treated as prescribed. */
export function createAssault(
  target: Target,
  tally: Tally,
): { send(frames: Sent[]): Promise<void>; end(): Promise<void> } {
  let end: FarEnd | undefined;
  let malformed = 0;
  let open: Expected[] = [];

  async function send(frames: Sent[]): Promise<void> {
    for (const [at, frame] of frames.entries()) await sendOne(frame, at);
    await settle();
  }

  async function sendOne(frame: Sent, at: number): Promise<void> {
    end ??= await begin();
    tally.frames++;
    const verdict: Verdict = typeof frame === "string"
      ? verdictOn(frame, target.methods)
      : { kind: "silence", isMalformed: false };
    const closes = closingCode(frame, verdict);
    if (closes === undefined) {
      const key = verdict.kind === "silence" ? undefined : JSON.stringify(verdict.id);
      const rival = key !== undefined && open.find((other) => other.key === key);
      if (rival && (rival.verdict.kind === "answer" || verdict.kind === "answer")) await settle();
      open.push({ verdict, key, frame, at });
      end.send(frame);
      return;
    }
    await settle();
    if (target.beforeClose) await hurried(end, target.beforeClose(end));
    end.send(frame);
    // Nothing is sent any more: the platform loses the code where frames cross with the close.
    const { code, reason } = await within(`close ${closes} over ${shown(frame)}`, end.closed);
    if (code !== closes) throw new Wrong(frame, at, `the session was closed with ${code} ${reason}, not ${closes}`);
    tally.closes.set(code, (tally.closes.get(code) ?? 0) + 1);
    end = undefined;
  }

  function closingCode(frame: Sent, verdict: Verdict): number | undefined {
    if (typeof frame !== "string") return CLOSES.malformed.code;
    if (new TextEncoder().encode(frame).length > FRAME_BYTES) return CLOSES.tooLarge.code;
    if (verdict.kind !== "answer" && verdict.isMalformed) {
      tally.malformed++;
      if (++malformed > BUDGET) return CLOSES.malformed.code;
    }
    return target.closesOver?.(verdict);
  }

  async function begin(): Promise<FarEnd> {
    malformed = 0;
    tally.sessions++;
    return await within("a session", target.open());
  }

  /** Until everything that wants an answer has one; what comes and is not due fails. */
  async function settle(): Promise<void> {
    if (end === undefined) return;
    // Whatever is answered at once was answered before this is.
    const last = end.request("no.such", {}).catch(() => {});
    let due = open.filter(({ key }) => key !== undefined);
    const take = (answers: Answer[]) => {
      for (const answer of answers) due = without(due, answer);
    };
    const until = performance.now() + PATIENCE_MS;
    await hurried(end, last);
    for (take(end.answers.splice(0)); due.length > 0; take(end.answers.splice(0))) {
      const [first] = due;
      if (first === undefined) return;
      if (end.isClosed()) {
        const { code, reason } = await end.closed;
        throw new Wrong(first.frame, first.at, `the session was closed with ${code} ${reason}`);
      }
      if (performance.now() > until) throw new Wrong(first.frame, first.at, "it was not answered");
      await hurried(end, newsOf(end));
    }
    open = [];
  }

  function without(due: Expected[], answer: Answer): Expected[] {
    tally.answers++;
    const key = JSON.stringify(answer.id);
    // Where several frames have one id, what is due is exact for each: a typed fault would fit any request.
    const same = due.filter((each) => each.key === key);
    const match = same.find(({ verdict }) => wrongIn(answer, verdict, target.methods) === undefined);
    if (match !== undefined) return due.filter((each) => each !== match);
    const told = JSON.stringify(answer).slice(0, 500);
    const suspect = same[0];
    if (suspect !== undefined) {
      throw new Wrong(suspect.frame, suspect.at, `${wrongIn(answer, suspect.verdict, target.methods)}: ${told}`);
    }
    const silent = open.find(({ key }) => key === undefined) ?? open[0];
    throw new Wrong(silent?.frame ?? "", silent?.at ?? 0, `an answer that is not due: ${told}`);
  }

  return {
    send,
    async end() {
      await settle();
      if (end === undefined) return;
      if (target.beforeClose) await hurried(end, target.beforeClose(end));
      end.close(1000);
      await within("the close", end.closed);
      end = undefined;
    },
  };
}

/** Something came, or it is time to look at the clock. */
async function newsOf(end: FarEnd): Promise<void> {
  const enough = Promise.withResolvers<void>();
  const timer = setTimeout(enough.resolve, 200);
  await Promise.race([end.news(), enough.promise]);
  clearTimeout(timer);
}

/**
 * Waits with a frame now and then that must not be answered. What a client socket of the platform sends in several
 * small writes waits for an acknowledgement (RFC 896), which the kernel delays by 40 ms unless something is sent.
 */
async function hurried<T>(end: FarEnd, promise: Promise<T>): Promise<T> {
  const timer = setInterval(() => end.isClosed() || end.send('{"jsonrpc":"2.0","id":1e9,"result":{}}'), 2);
  try {
    return await promise;
  } finally {
    clearInterval(timer);
  }
}
