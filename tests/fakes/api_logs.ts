/** `pods/{name}/log` as the API server and the kubelet answer it. */
import { isRecord, type Stored } from "./api_objects.ts";
import { Refusal } from "./api_status.ts";

/** The log of one container, as the kubelet keeps it. */
export interface ContainerLog {
  readonly lines: readonly LogLine[];
  /** Nothing more will come. */
  readonly ended: boolean;
  /** Is told of every growth and of the end; answers how to end that. */
  listen(listener: () => void): () => void;
}

export interface LogLine {
  /** RFC 3339 with nine digits, fixed. */
  time: string;
  text: string;
  /** The last one, where the output did not end with a newline. */
  unterminated?: boolean;
}

/** Finds the log of a pod's container; undefined where the container has not started. */
export type LogSource = (pod: Stored, container: string) => ContainerLog | undefined;

/** Open streams, so that they can be cut. */
export interface LogStreams {
  answer(pod: Stored, query: URLSearchParams): Response;
  cut(): void;
}

const LINES_AT_ONCE = 500;

export function createLogStreams(source: LogSource): LogStreams {
  const open = new Set<() => void>();

  const answer = (pod: Stored, query: URLSearchParams): Response => {
    const container = containerOf(pod, query.get("container"));
    // A pod without a node has no kubelet to ask: the API server answers with nothing at all.
    if (!isRecord(pod["spec"]) || pod["spec"]["nodeName"] === undefined) return new Response(null, { status: 204 });
    const log = source(pod, container);
    if (log === undefined) throw new Refusal(400, "BadRequest", waiting(pod, container));
    return new Response(streamOf(log, query), { headers: { "content-type": "text/plain" } });
  };

  const streamOf = (log: ContainerLog, query: URLSearchParams): ReadableStream<Uint8Array> => {
    const follow = query.get("follow") === "true", stamped = query.get("timestamps") === "true";
    // The API server hands it on in whole seconds.
    const since = Math.floor(Date.parse(query.get("sinceTime") ?? "1970-01-01T00:00:00Z") / 1000) * 1000;
    const tail = query.has("tailLines") ? Number(query.get("tailLines")) : Infinity;
    let bytes = query.has("limitBytes") ? Number(query.get("limitBytes")) : Infinity;
    let at = Math.max(0, log.lines.length - tail);
    const encoder = new TextEncoder();
    let quiet = () => {};
    let cut = () => {};
    const piece = (): Uint8Array => {
      let text = "";
      for (const end = at + LINES_AT_ONCE; at < Math.min(end, log.lines.length); at++) {
        const line = log.lines[at];
        if (line === undefined || Date.parse(line.time) < since) continue;
        text += `${stamped ? `${line.time} ` : ""}${line.text}${line.unterminated ? "" : "\n"}`;
      }
      const encoded = encoder.encode(text).subarray(0, bytes);
      bytes -= encoded.length;
      return encoded;
    };
    return new ReadableStream<Uint8Array>({
      start(control) {
        cut = () => {
          open.delete(cut);
          quiet();
          control.close();
        };
        open.add(cut);
      },
      async pull(control) {
        while (open.has(cut)) {
          if (at < log.lines.length && bytes > 0) {
            const encoded = piece();
            if (encoded.length === 0) continue;
            return control.enqueue(encoded);
          }
          if (bytes <= 0 || log.ended || !follow) return cut();
          await new Promise<void>((grown) => {
            const unlisten = log.listen(grown);
            quiet = () => (unlisten(), grown());
          });
          quiet();
        }
      },
      cancel() {
        open.delete(cut);
        quiet();
      },
    });
  };

  return {
    answer,
    cut() {
      for (const end of [...open]) end();
    },
  };
}

function containerOf(pod: Stored, asked: string | null): string {
  const { name } = pod.metadata;
  const regular = namesOf(pod, "containers"), inits = namesOf(pod, "initContainers");
  if (asked === null) {
    const [only] = regular;
    if (regular.length === 1 && only !== undefined) return only;
    const others = inits.length > 0 ? ` or one of the init containers: [${inits.join(" ")}]` : "";
    const said = `a container name must be specified for pod ${name}, choose one of: [${regular.join(" ")}]${others}`;
    throw new Refusal(400, "BadRequest", said);
  }
  if ([...regular, ...inits].includes(asked)) return asked;
  throw new Refusal(400, "BadRequest", `container ${asked} is not valid for pod ${name}`);
}

function namesOf(pod: Stored, field: string): string[] {
  const list = isRecord(pod["spec"]) ? pod["spec"][field] : undefined;
  return Array.isArray(list) ? list.flatMap((item) => isRecord(item) ? [String(item["name"])] : []) : [];
}

function waiting(pod: Stored, container: string): string {
  const status = isRecord(pod["status"]) ? pod["status"] : {};
  const all = [status["initContainerStatuses"], status["containerStatuses"]].flat().filter(isRecord);
  const state = all.find(({ name }) => name === container)?.["state"];
  const reason = isRecord(state) && isRecord(state["waiting"]) ? state["waiting"]["reason"] : undefined;
  const what = `container "${container}" in pod "${pod.metadata.name}"`;
  if (reason === undefined) return `${what} is not available`;
  if (reason === "ErrImagePull") return `${what} is waiting to start: image can't be pulled`;
  if (reason === "ImagePullBackOff") return `${what} is waiting to start: trying and failing to pull image`;
  return `${what} is waiting to start: ${reason}`;
}
