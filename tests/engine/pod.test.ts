/** The job's pod: how its document reaches it, what it runs, and that nothing of it breaks the Restricted standard. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { PROLOGUE } from "../../adapters/engine/pod/main_container.ts";
import type { Delivery } from "../../adapters/engine/pod/port.ts";
import { Job } from "../../mod/job.ts";
import { test } from "../limited.ts";
import { envOf, job, made, OM, OWN, PLACEMENT, podsOf, RUNNER, unrestricted, type World } from "./pod_world.ts";

const FROM_SERVER = "source: {type: x}\nworkflowConfig:\n  openMetadataServerConfig: {hostPort: http://om}\n";
const AUTOMATION =
  "openMetadataServerConnection: {hostPort: http://om}\nrequest: {connection: {password: secret:/db/p}}";
const OTHER = "docker.io/acme/job@sha256:" + "a".repeat(64);

const deliveries: [name: string, World, Partial<Job>, Delivery][] = [
  ["a pipeline with its own connection", {}, {}, "inject"],
  ["… and without references", {}, { document: "source: {serviceConnection: {}}" }, "plain"],
  ["a pipeline that asks the server for its connection", {}, { document: FROM_SERVER }, "passthrough"],
  ["an empty connection is none", {}, { document: "source: {serviceConnection: }" }, "passthrough"],
  ["an aliased connection is one", {}, {
    document: "a: &s {p: secret:/x}\nsource: {serviceConnection: *s}",
  }, "inject"],
  ["an automation", {}, { kind: "automation", document: AUTOMATION }, "passthrough"],
  ["an application", {}, { kind: "application", document: FROM_SERVER }, "passthrough"],
  ["another image", {}, { kind: "automation", image: OTHER, document: AUTOMATION }, "inject"],
  [
    "OpenMetadata's image by another tag",
    {},
    { image: OM.replace("1.12.1", "1.9"), document: FROM_SERVER },
    "passthrough",
  ],
  ["another image whose row knows it", { file: row("default", "delivery: python-env, image: acme/om") }, {
    document: FROM_SERVER,
  }, "passthrough"],
  ["a row that says inject", { file: row("automation", "resolution: inject") }, {
    kind: "automation",
    document: AUTOMATION,
  }, "inject"],
  ["a row that says passthrough", { file: row("metadata", "resolution: passthrough") }, {}, "passthrough"],
  [
    "a provider that the framework does not know, and nothing to read",
    {
      env: { SECRETS_MANAGER: "vault" },
    },
    { document: FROM_SERVER },
    "plain",
  ],
  ["the canary", {}, { kind: "automation", type: "canary", document: "{}" }, "plain"],
];

for (const [name, world, members, delivery] of deliveries) {
  test(`pod: delivery: ${name}: ${delivery}`, async () => {
    const { definition, spec } = made(await podsOf(world), job(members));
    assert.equal(definition.delivery, delivery);
    assert.equal(spec.initContainers?.length ?? 0, delivery === "inject" ? 1 : 0);
    assert.deepEqual(unrestricted(spec), []);
  });
}

test("pod: inject: our init container resolves into memory, and only it has the token", async () => {
  const { spec, main } = made(await podsOf(), job());
  const [resolve] = spec.initContainers ?? [];
  assert(resolve);
  assert.deepEqual([resolve.name, resolve.image, resolve.args], ["resolve", RUNNER, [
    "resolve",
    "--document",
    "/hybrid-runner-document/document",
    "--out",
    "/hybrid-runner/config",
  ]]);
  assert.deepEqual(envOf(resolve), {
    SECRETS_MANAGER: "kubernetes",
    SECRETS_NAMESPACE: "jobs",
    HYBRID_RUNNER_TERMINATION_LOG: resolve.terminationMessagePath,
  });
  assert.equal(resolve.securityContext?.readOnlyRootFilesystem, true);
  assert.deepEqual(resolve.resources, {
    requests: { cpu: "50m", memory: "64Mi" },
    limits: { cpu: "200m", memory: "160Mi" },
  });
  assert.equal(spec.automountServiceAccountToken, false);
  const mounts = (container: typeof main) =>
    container.volumeMounts?.map(({ name, mountPath, readOnly }) => `${name} ${mountPath}${readOnly ? " ro" : ""}`);
  assert.deepEqual(mounts(resolve), [
    "hybrid-runner-document /hybrid-runner-document ro",
    "hybrid-runner-config /hybrid-runner",
    "api-token /var/run/secrets/kubernetes.io/serviceaccount ro",
  ]);
  assert.deepEqual(mounts(main), ["hybrid-runner-config /hybrid-runner ro"]);
  assert.deepEqual(spec.volumes?.slice(0, 2), [
    {
      name: "hybrid-runner-document",
      secret: { secretName: "hr-document", items: [{ key: "document", path: "document" }], defaultMode: 0o440 },
    },
    { name: "hybrid-runner-config", emptyDir: { medium: "Memory", sizeLimit: "4Mi" } },
  ]);
  assert.deepEqual(spec.securityContext, {
    runAsNonRoot: true,
    seccompProfile: { type: "RuntimeDefault" },
    runAsUser: 1000,
    fsGroup: 1000,
  });
});

test("pod: plain and passthrough: the Secret is the job's configuration", async () => {
  for (const document of ["source: {serviceConnection: {}}", FROM_SERVER]) {
    const { spec, main } = made(await podsOf(), job({ document }));
    assert.deepEqual(main.volumeMounts?.[0], {
      name: "hybrid-runner-document",
      mountPath: "/hybrid-runner",
      readOnly: true,
    });
    assert.deepEqual(spec.volumes?.[0]?.secret, {
      secretName: "hr-document",
      items: [{ key: "document", path: "config" }],
      defaultMode: 0o440,
    });
  }
});

test("pod: passthrough: the document says provider and loader, the pod what the loader looks for", async () => {
  const { document, main } = made(
    await podsOf({ env: { SECRETS_NAMESPACE: "vault" } }),
    job({ document: FROM_SERVER }),
  );
  assert.match(document, /"secretsManagerProvider": "kubernetes", "secretsManagerLoader": "env"/);
  assert.equal(envOf(main).KUBERNETES_NAMESPACE, "vault");
  assert.equal(envOf(main).KUBERNETES_IN_CLUSTER, "true");
  assert(main.volumeMounts?.some(({ name }) => name === "api-token"));
  const aws = { SECRETS_MANAGER: "managed-aws", AWS_REGION: "eu-west-1" };
  const other = made(await podsOf({ env: aws }), job({ document: FROM_SERVER })).main;
  assert.equal(envOf(other).AWS_DEFAULT_REGION, "eu-west-1");
  assert(!other.volumeMounts?.some(({ name }) => name === "api-token"));
});

/** SECRETS_MANAGER, whether main asks for the token, and who has it. */
const tokens: [string, World, Partial<Job>, string[]][] = [
  ["kubernetes", {}, {}, ["resolve"]],
  ["aws", { env: { SECRETS_MANAGER: "aws" } }, {}, []],
  ["vault", { env: { SECRETS_MANAGER: "vault" } }, {}, ["resolve"]],
  ["the setting", { env: { INGESTION_AUTOMOUNT_SA_TOKEN: "true" } }, {}, ["resolve", "main"]],
  ["the row", { file: row("metadata", "automountServiceAccountToken: true") }, {}, ["resolve", "main"]],
  [
    "the row against the setting",
    {
      env: { INGESTION_AUTOMOUNT_SA_TOKEN: "true" },
      file: row("metadata", "automountServiceAccountToken: false"),
    },
    {},
    ["resolve"],
  ],
  ["nothing to resolve", {}, { document: "source: {serviceConnection: {}}" }, []],
  ["the canary", { env: { INGESTION_AUTOMOUNT_SA_TOKEN: "true" } }, { type: "canary", document: "{}" }, []],
];
for (const [name, world, members, who] of tokens) {
  test(`pod: token: ${name}: ${who.join(" and ") || "nobody"}`, async () => {
    for (const engine of ["kubernetes", "argo"] as const) {
      const { spec } = made(await podsOf({ ...world, engine }), job(members));
      const with_ = [...spec.initContainers ?? [], ...spec.containers].filter(({ volumeMounts = [] }) =>
        volumeMounts.some((mount) => mount.name === "api-token")
      );
      assert.deepEqual(with_.map((container) => container.name), who);
      assert.equal(spec.automountServiceAccountToken, false);
      // Argo's own containers need it in every pod.
      const has = spec.volumes?.some((volume) => volume.name === "api-token");
      assert.equal(has, engine === "argo" || who.length > 0);
    }
  });
}

const programs: [string, World, Partial<Job>, string[] | undefined, string[] | undefined][] = [
  ["a pipeline", {}, {}, ["python", "-c", PROLOGUE], ["main.py"]],
  ["an automation", {}, { kind: "automation", document: "{}" }, ["python", "-c", PROLOGUE], ["run_automation.py"]],
  ["an application", {}, { kind: "application", document: "{}" }, ["python", "-c", PROLOGUE], [
    "-m",
    "metadata.applications.runner",
  ]],
  ["a row with another interpreter", { file: row("metadata", "command: [python3.11, -u], args: [other.py]") }, {}, [
    "python3.11",
    "-u",
    "-c",
    PROLOGUE,
  ], ["other.py"]],
  ["another image's own program", {}, { image: OTHER }, undefined, undefined],
  [
    "another image with a program",
    { file: row("custom", "image: acme/x, command: [/run], args: [--fast]") },
    {
      type: "custom",
    },
    ["/run"],
    ["--fast"],
  ],
  [
    "OpenMetadata's image by file",
    { file: row("metadata", "delivery: file, command: [/run]") },
    {},
    ["/run"],
    undefined,
  ],
  [
    "the canary",
    { file: row("default", "command: [/evil], args: [x], env: {A: b}") },
    {
      type: "canary",
      document: "{}",
    },
    ["/usr/local/bin/hybrid-runner"],
    ["version"],
  ],
];
for (const [name, world, members, command, args] of programs) {
  test(`pod: program: ${name}`, async () => {
    const { main } = made(await podsOf(world), job(members));
    assert.deepEqual([main.command, main.args], [command, args]);
    assert.equal(envOf(main).HYBRID_RUNNER_CONFIG, "/hybrid-runner/config");
    assert.equal(envOf(main).HYBRID_RUNNER_TERMINATION_LOG, "/dev/termination-log");
    assert.equal(main.name, "main");
    assert(!JSON.stringify([main.command, main.args]).includes("{{"));
  });
}

test("pod: the canary is our own image, with its own small needs", async () => {
  const file = row("default", "image: acme/x, tolerations: [{operator: Exists}], resources: {limits: {cpu: 9}}");
  const { main, spec } = made(await podsOf({ file }), job({ type: "canary", document: "{}", image: "acme/evil" }));
  assert.equal(main.image, RUNNER);
  assert.deepEqual(spec.tolerations, [{ operator: "Exists" }]);
  assert.deepEqual(main.resources?.limits, { cpu: "200m", memory: "160Mi" });
  assert.equal(main.securityContext?.readOnlyRootFilesystem, true);
});

test("pod: the variables, and who wins", async () => {
  const world = {
    env: { SERVER_HOST_API_URL: "https://om/api", INGESTION_EXTRA_ENVS: "[A:extra,B:extra,C:extra]" },
    file: row("default", "env: {B: default, C: default}") + row2("metadata", "env: [{name: C, value: type}]"),
  };
  const pods = await podsOf(world);
  const { main } = made(pods, job({ env: { Z: "wire", D: "wire" } }), {
    ...PLACEMENT,
    runId: { valueFrom: { fieldRef: { fieldPath: "metadata.labels['x']" } } },
  });
  assert.deepEqual(main.env?.map(({ name, value }) => `${name}=${value}`), [
    "pipelineType=metadata",
    "pipelineRunId=undefined",
    "SERVER_HOST_API_URL=https://om/api",
    "A=extra",
    "B=default",
    "C=type",
    "D=wire",
    "Z=wire",
    "HYBRID_RUNNER_CONFIG=/hybrid-runner/config",
    "HYBRID_RUNNER_TERMINATION_LOG=/dev/termination-log",
  ]);
  assert.deepEqual(main.env?.[1]?.valueFrom, { fieldRef: { fieldPath: "metadata.labels['x']" } });
  // What was stored before the settings changed stays runnable, and the settings win.
  const definition = { job: { ...job({ env: { A: "wire" } }), document: undefined }, delivery: "plain" as const };
  assert.equal(envOf(pods.pod(definition, PLACEMENT).spec.containers[0] ?? main).A, "extra");
});

test("pod: secrets of the providers env and file reach the step that resolves, and never the job", async () => {
  const file = row(
    "default",
    "env: [{name: HYBRID_RUNNER_SECRET_DB_PASSWORD, valueFrom: {secretKeyRef: {name: s, key: k}}}, {name: NO_PROXY, value: x}]," +
      "volumes: [{name: s, csi: {driver: d}}, {name: ca, configMap: {name: ca}}]," +
      "volumeMounts: [{name: s, mountPath: /mnt/secrets}, {name: ca, mountPath: /ca}]",
  );
  const worlds: Record<string, string>[] = [{ SECRETS_MANAGER: "env" }, {
    SECRETS_MANAGER: "file",
    SECRETS_DIR: "/mnt/secrets/",
  }];
  for (const env of worlds) {
    const { main, spec } = made(await podsOf({ file, env }), job());
    const [resolve] = spec.initContainers ?? [];
    assert(resolve);
    assert(!("HYBRID_RUNNER_SECRET_DB_PASSWORD" in envOf(main)) && "NO_PROXY" in envOf(main));
    assert("HYBRID_RUNNER_SECRET_DB_PASSWORD" in envOf(resolve) && "NO_PROXY" in envOf(resolve));
    const has = (container: typeof main, path: string) =>
      container.volumeMounts?.some(({ mountPath }) => mountPath === path);
    const isFile = env.SECRETS_MANAGER === "file";
    assert.deepEqual([has(main, "/mnt/secrets"), has(resolve, "/mnt/secrets")], [!isFile, isFile]);
    assert(has(main, "/ca") && !has(resolve, "/ca"));
    assert.equal(envOf(resolve).SECRETS_DIR, isFile ? "/mnt/secrets" : undefined);
  }
});

test("pod: nothing of the document is in the pod or the definition", async () => {
  const canary = "canary-7f3a";
  for (const members of [{}, { kind: "automation" as const }, { image: OTHER }]) {
    const { document, ...rest } = made(await podsOf(), job({ document: `${OWN}note: ${canary}\n`, ...members }));
    assert(document.includes(canary));
    assert(!JSON.stringify(rest).includes(canary));
  }
});

test("pod: law: the same input makes the same pod, however its members are ordered", async () => {
  const pods = await podsOf({ env: { INGESTION_EXTRA_ENVS: "[A:1]" } });
  const names = fc.stringMatching(/^[B-Zb-z][A-Za-z0-9_]{0,8}$/).filter((name) =>
    !/^(LD|PYTHON|PATH|HYBRID|pipeline)/.test(name)
  );
  const jobs = fc.record({
    kind: fc.constantFrom("pipeline" as const, "automation" as const, "application" as const),
    type: fc.constantFrom("metadata", "usage", "canary", "toString"),
    env: fc.dictionary(names, fc.string().filter((text) => !/^secret:|\{\{/.test(text)), { noNullPrototype: true }),
    labels: fc.dictionary(fc.stringMatching(/^[a-z0-9]{1,8}$/), fc.stringMatching(/^[a-z0-9]{0,8}$/), {
      noNullPrototype: true,
    }),
    document: fc.constantFrom(OWN, FROM_SERVER, "{}"),
  });
  fc.assert(fc.property(jobs, (members) => {
    const one = made(pods, job(members));
    const stored = JSON.parse(JSON.stringify(sorted(one.definition)));
    assert.deepEqual(pods.pod(stored, PLACEMENT).spec, one.spec);
    assert.deepEqual(unrestricted(one.spec), []);
    const names = one.main.env?.map(({ name }) => name) ?? [];
    assert.equal(new Set(names).size, names.length);
  }));
});

test("pod teeth: the judge of pods finds what is wrong", async () => {
  const { spec } = made(await podsOf(), job());
  const [main] = spec.containers;
  assert(main);
  const breaks: [Partial<typeof spec>, RegExp][] = [
    [{ volumes: [{ name: "x", hostPath: { path: "/" } }] }, /hostPath/],
    [{ securityContext: {} }, /no seccomp profile/],
    [{ securityContext: { ...spec.securityContext, runAsUser: 0 } }, /is root/],
    [{ containers: [{ ...main, securityContext: {} }] }, /may escalate.*has capabilities/],
    [{ containers: [{ ...main, ports: [{ hostPort: 1 }] }] }, /hostPort/],
  ];
  for (const [change, says] of breaks) assert.match(unrestricted({ ...spec, ...change }).join(), says);
});

function sorted(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(sorted);
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => a < b ? 1 : -1).map(([k, v]) => [k, sorted(v)]));
}

function row(type: string, members: string): string {
  return `ingestion:\n  pipelineTypes:\n    ${type}: {${members}}\n`;
}

function row2(type: string, members: string): string {
  return `    ${type}: {${members}}\n`;
}
