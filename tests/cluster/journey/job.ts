/** What a journey's jobs do, in a pod of any image with a shell: their document says it. */
import { imageOf } from "../images.ts";

/** A document: flat YAML. */
export interface Work {
  /** Waits until the test opens the gate of its pod. */
  gate?: "closed";
  /** Seconds to be at work. */
  sleep?: number;
  exit?: number;
  /** In an odd minute of the hour it fails with exit code 3. */
  parity?: "odd-fails";
  /** `ignored`: only SIGKILL ends it. */
  term?: "ignored";
  /** Printed, to tell one revision from another. */
  say?: string;
}

/** The annotation that opens the gate of a pod: the kubelet brings it into the pod's volume. */
export const GATE = "hybrid-runner.dev/gate";

/** Pipelines of this type ask for a node that does not exist. */
export const UNSCHEDULABLE = "unschedulable";

// Only builtins, cat, date and sleep; `wait` lets the trap act at once.
const SCRIPT = `
gate= sleep=0 exit=0 parity= term= say=
while IFS=': ' read -r key value; do
  case "$key" in gate) gate=$value;; sleep) sleep=$value;; exit) exit=$value;; parity) parity=$value;;
    term) term=$value;; say) say=$value;; esac
done < "$HYBRID_RUNNER_CONFIG"
if [ "$term" = ignored ]; then trap '' TERM; else trap 'exit 143' TERM; fi
echo "begun $say"
if [ "$gate" = closed ]; then
  until case "$(cat /gate/annotations)" in *'${GATE}="open"'*) true;; *) false;; esac; do sleep 0.2; done
fi
sleep "$sleep" & wait
if [ "$term" = ignored ]; then while :; do sleep 1; done; fi
if [ "$parity" = odd-fails ]; then case "$(date +%M)" in *[13579]) echo odd; exit 3;; esac; fi
echo "ended $say"
exit "$exit"
`;

/** The runner's settings file: YAML, as JSON is. */
export function settingsText(): string {
  const resources = { requests: { cpu: "10m", memory: "16Mi" }, limits: { cpu: "1", memory: "64Mi" } };
  const annotations = { path: "annotations", fieldRef: { fieldPath: "metadata.annotations" } };
  return JSON.stringify({
    ingestion: {
      pipelineTypes: {
        default: {
          image: imageOf("job"),
          imagePullPolicy: "IfNotPresent",
          command: ["/bin/sh", "-c", SCRIPT],
          delivery: "file",
          resources,
          terminationGracePeriodSeconds: 3,
          volumes: [{ name: "gate", downwardAPI: { items: [annotations] } }],
          volumeMounts: [{ name: "gate", mountPath: "/gate", readOnly: true }],
        },
        [UNSCHEDULABLE]: { nodeSelector: { "hybrid-runner.dev/node": "nowhere" } },
      },
    },
  });
}

/** The document's text. */
export function documentOf(work: Work): string {
  return Object.entries(work).map(([name, value]) => `${name}: ${value}\n`).join("") || "sleep: 0\n";
}
