/** Our init container: it reads the secrets and writes the resolved document into memory, or stops the pod. */
import type { Container } from "../cluster/manifest.ts";
import { runnerImageOf } from "./delivery.ts";
import { isSecretsFolder, RESTRICTED, RUNNER_RESOURCES, settingsEnv } from "./main_container.ts";
import {
  API_TOKEN_PATH,
  API_TOKEN_VOLUME,
  CONFIG_PATH,
  CONFIG_VOLUME,
  DOCUMENT_KEY,
  DOCUMENT_VOLUME,
} from "./names.ts";
import { MOUNTS, RESOLVE, RESOLVE_TERMINATION_LOG } from "./names.ts";
import { isForResolve, PROVIDERS } from "./providers.ts";
import { mergedEnv, type Shape } from "./rows.ts";
import type { PodSettings } from "./settings.ts";

/** The container `resolve`. Fault `unavailable` where HYBRID_RUNNER_IMAGE is not set. */
export function resolveContainer(settings: PodSettings, shape: Shape): Container {
  const { secretsManager, secretsDir, secretsNamespace } = settings;
  const ours = [
    { name: "SECRETS_MANAGER", value: secretsManager },
    { name: "SECRETS_NAMESPACE", value: secretsNamespace },
    ...secretsDir === undefined ? [] : [{ name: "SECRETS_DIR", value: secretsDir }],
    { name: "HYBRID_RUNNER_TERMINATION_LOG", value: RESOLVE_TERMINATION_LOG },
  ];
  const local = settingsEnv(settings, shape).filter(({ name }) => isForResolve(name));
  return {
    name: RESOLVE,
    image: runnerImageOf(settings),
    args: ["resolve", "--document", `${MOUNTS.document}/${DOCUMENT_KEY}`, "--out", CONFIG_PATH],
    env: mergedEnv(settings.resolveEnv, local, ours),
    resources: RUNNER_RESOURCES,
    volumeMounts: [
      { name: DOCUMENT_VOLUME, mountPath: MOUNTS.document, readOnly: true },
      { name: CONFIG_VOLUME, mountPath: MOUNTS.config },
      ...PROVIDERS[secretsManager].needsToken
        ? [{ name: API_TOKEN_VOLUME, mountPath: API_TOKEN_PATH, readOnly: true }]
        : [],
      ...(shape.volumeMounts ?? []).filter(({ mountPath }) => isSecretsFolder(settings, mountPath)),
    ],
    terminationMessagePath: RESOLVE_TERMINATION_LOG,
    securityContext: { ...RESTRICTED, readOnlyRootFilesystem: true },
  };
}
