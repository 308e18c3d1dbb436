/**
 * What a reference becomes on each provider: one row per provider, pure, so that `doctor` can print it and policy can
 * compare by the mapped name where two references may meet in one.
 */
import { Fault } from "../fault.ts";
import type { SecretName } from "../ports.ts";
import type { Reference } from "./reference.ts";

/** The accepted values of `SECRETS_MANAGER`, the first one being the default. */
export const SECRETS_MANAGERS = [
  "kubernetes",
  "managed-aws",
  "aws",
  "managed-aws-ssm",
  "aws-ssm",
  "gcp",
  "managed-azure-kv",
  "azure-kv",
  "vault",
  "file",
  "env",
] as const;

/** One value of `SECRETS_MANAGER`. */
export type SecretsManager = typeof SECRETS_MANAGERS[number];

/** What the name of every variable of the `env` provider begins with. */
export const ENV_PREFIX = "HYBRID_RUNNER_SECRET_";

/** True for a value of `SECRETS_MANAGER` that this product knows. */
export function isSecretsManager(text: string): text is SecretsManager {
  return SECRETS_MANAGERS.some((known) => known === text);
}

/** The fault for a `SECRETS_MANAGER` that nobody knows: `invalid`, with what is accepted. */
export function unknownManager(text: string): Fault {
  const accepted = SECRETS_MANAGERS.join(", ");
  return new Fault("invalid", `Cannot use SECRETS_MANAGER ${JSON.stringify(text)}: accepted are ${accepted}`, {
    path: "SECRETS_MANAGER",
  });
}

/** The provider's own name for a reference. Faults: `invalid`, with the sentence that says what the provider cannot have. */
export function mapReference(manager: string, reference: Reference): SecretName {
  if (!isSecretsManager(manager)) throw unknownManager(manager);
  const row = rows[manager];
  const name = row.name(reference);
  const sentence = row.limits.find((limit) => limit.broken(name, reference))?.sentence;
  if (sentence !== undefined) {
    throw new Fault("invalid", `Cannot read secret "${reference.text}" from ${manager}: ${sentence}`, {
      path: "document",
    });
  }
  return {
    reference: reference.text,
    name,
    ...(reference.key === undefined ? {} : { key: reference.key }),
    ...(reference.version === undefined ? {} : { version: reference.version }),
  };
}

/** True where different paths never meet in one name. */
export function isOneToOne(manager: SecretsManager): boolean {
  return rows[manager].oneToOne;
}

interface Row {
  name(reference: Reference): string;
  oneToOne: boolean;
  limits: readonly Limit[];
}

/** What the provider cannot have; told before any request is made. */
interface Limit {
  broken(name: string, reference: Reference): boolean;
  sentence: string;
}

const asItStands = (reference: Reference): string => reference.name;
const pathAsItStands = (reference: Reference): string => reference.path;
const dashed = (reference: Reference): string => reference.path.replaceAll("/", "-");
const dashedToAlphanumeric = (reference: Reference): string => reference.path.replace(/[^0-9A-Za-z-]/gu, "-");
const environment = (reference: Reference): string =>
  ENV_PREFIX + reference.path.replace(/[^0-9A-Za-z]/gu, "_").toUpperCase();

const longest = (characters: number, what: string): Limit => ({
  broken: (name) => name.length > characters,
  sentence: `${what} has at most ${characters} characters`,
});
const version = (pattern: RegExp, sentence: string): Limit => ({
  broken: (_name, reference) => reference.version !== undefined && !pattern.test(reference.version),
  sentence,
});
const noVersion = (what: string): Limit => ({
  broken: (_name, reference) => reference.version !== undefined,
  sentence: `?version= cannot be used: ${what} has no versions to choose from`,
});

const label = "[a-z0-9](?:[a-z0-9-]*[a-z0-9])?";
const kubernetes: Row = {
  name: dashed,
  oneToOne: false,
  limits: [
    longest(253, "the name of a Kubernetes Secret"),
    {
      broken: (name) => !new RegExp(`^${label}(?:\\.${label})*$`).test(name),
      sentence: "a Kubernetes Secret's name has only lower-case letters, digits, - and ., and begins and ends with a " +
        "letter or digit (/ becomes -)",
    },
    {
      broken: (_name, { key }) => key !== undefined && !/^[-._A-Za-z0-9]{1,253}$/.test(key),
      sentence: "a key of a Kubernetes Secret has only letters, digits, -, _ and .",
    },
    noVersion("a Kubernetes Secret"),
  ],
};

/** https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html */
const aws: Row = { name: asItStands, oneToOne: true, limits: [] };

/** https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameter.html */
const ssm: Row = {
  name: asItStands,
  oneToOne: true,
  limits: [version(/^[A-Za-z0-9_.-]{1,100}$/, "the version of a parameter is its number or a label")],
};

/** https://cloud.google.com/secret-manager/docs/reference/rest/v1/projects.secrets/create */
const gcp: Row = {
  name: dashed,
  oneToOne: false,
  limits: [
    longest(255, "the name of a secret in Google's Secret Manager"),
    {
      broken: (name) => !/^[0-9A-Za-z_-]+$/.test(name),
      sentence: "a secret in Google's Secret Manager is named with letters, digits, - and _ only (/ becomes -)",
    },
    version(/^[0-9A-Za-z_-]+$/, "the version is a number, latest, or an alias"),
  ],
};

/** https://learn.microsoft.com/azure/key-vault/general/about-keys-secrets-certificates */
const azure: Row = {
  name: dashedToAlphanumeric,
  oneToOne: false,
  limits: [
    longest(127, "the name of a secret in Azure Key Vault"),
    version(/^[0-9A-Za-z]+$/, "the version of a secret in Azure Key Vault has letters and digits only"),
  ],
};

/** https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2 */
const vault: Row = {
  name: pathAsItStands,
  oneToOne: true,
  limits: [version(/^[1-9][0-9]{0,8}$/, "the version of a KV v2 secret is a number from 1")],
};

const rows: Record<SecretsManager, Row> = {
  kubernetes,
  "managed-aws": aws,
  aws,
  "managed-aws-ssm": ssm,
  "aws-ssm": ssm,
  gcp,
  "managed-azure-kv": azure,
  "azure-kv": azure,
  vault,
  file: { name: pathAsItStands, oneToOne: true, limits: [noVersion("a file")] },
  env: { name: environment, oneToOne: false, limits: [noVersion("an environment variable")] },
};
