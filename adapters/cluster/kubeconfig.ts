/**
 * The current context of a kubeconfig file (https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/). What needs
 * another program, or less safety, is refused with what to do instead.
 */
import { dirname, resolve } from "node:path";
import { Buffer } from "node:buffer";
import * as z from "zod/mini";
import { parse } from "yaml";
import { Fault } from "../../mod/fault.ts";
import { checkedServer, checkedToken, readText } from "./checked.ts";
import type { ClusterConfig } from "./config.ts";

const text = z.optional(z.string());
const Cluster = z.object({
  server: z.string(),
  "certificate-authority": text,
  "certificate-authority-data": text,
  "insecure-skip-tls-verify": z.optional(z.boolean()),
  "tls-server-name": text,
  "proxy-url": text,
});
const User = z.object({
  "client-certificate": text,
  "client-certificate-data": text,
  "client-key": text,
  "client-key-data": text,
  token: text,
  tokenFile: text,
  username: text,
  password: text,
  as: text,
  exec: z.optional(z.looseObject({ command: text })),
  "auth-provider": z.optional(z.looseObject({ name: text })),
});
const Context = z.object({ cluster: z.string(), user: z.optional(z.string()), namespace: text });
const Kubeconfig = z.object({
  "current-context": text,
  clusters: z.nullish(z.array(z.object({ name: z.string(), cluster: Cluster }))),
  contexts: z.nullish(z.array(z.object({ name: z.string(), context: Context }))),
  users: z.nullish(z.array(z.object({ name: z.string(), user: User }))),
});
type UserEntry = z.infer<typeof User>;

/** Reads the file once for its shape; certificate and token files that it names are read anew each time. */
export async function kubeconfigCluster(path: string, signal: AbortSignal): Promise<ClusterConfig> {
  const remedy = "set KUBECONFIG to the path of one readable kubeconfig file";
  const file = parsed(path, await readText(path, remedy, signal));
  const name = file["current-context"];
  if (!name) throw invalid(path, "it has no current-context; choose one: kubectl config use-context NAME");
  const context = entry(file.contexts, name, "context", path).context;
  const cluster = entry(file.clusters, context.cluster, "cluster", path).cluster;
  const user: UserEntry = context.user ? entry(file.users, context.user, "user", path).user : {};
  for (const { found, says } of REFUSED) if (found(cluster, user)) throw invalid(path, says);
  const proxy = cluster["proxy-url"];
  if (proxy && !/^(https?|socks5h?):\/\//.test(proxy)) {
    throw invalid(path, "proxy-url must begin with http://, https:// or socks5://");
  }
  const pem = (data: string | undefined, named: string | undefined, key: string, signal: AbortSignal) =>
    data
      ? Promise.resolve(fromBase64(data, path, `${key}-data`))
      : named
      ? readText(resolve(dirname(path), named), `it is ${key} in ${path}`, signal)
      : Promise.resolve(undefined);
  return {
    server: checkedServer(cluster.server, path),
    namespace: context.namespace || "default",
    source: `${path}, context ${name}`,
    ...proxy ? { proxy } : {},
    async tls(signal) {
      const authority = "certificate-authority";
      const ca = await pem(cluster[`${authority}-data`], cluster[authority], authority, signal);
      const cert = await pem(user["client-certificate-data"], user["client-certificate"], "client-certificate", signal);
      const key = await pem(user["client-key-data"], user["client-key"], "client-key", signal);
      if ((cert === undefined) !== (key === undefined)) {
        throw invalid(path, "client-certificate and client-key go together; add the missing one");
      }
      return { ...ca ? { caCerts: [ca] } : {}, ...cert ? { cert, key } : {} };
    },
    // The file wins over the literal, as in kubectl: it is the one that is renewed.
    async token(signal) {
      if (!user.tokenFile) return user.token ? checkedToken(user.token, path) : undefined;
      const file = resolve(dirname(path), user.tokenFile);
      return checkedToken(await readText(file, `it is tokenFile in ${path}`, signal), file);
    },
  };
}

/** What we don't do, and what to do instead. */
const REFUSED: readonly { found: (cluster: z.infer<typeof Cluster>, user: UserEntry) => boolean; says: string }[] = [
  {
    found: (cluster) => cluster["insecure-skip-tls-verify"] === true,
    says: "insecure-skip-tls-verify is not supported; give the server's CA as certificate-authority instead",
  },
  {
    found: (cluster) => Boolean(cluster["tls-server-name"]),
    says: "tls-server-name is not supported; use a server address that stands in the server's certificate",
  },
  {
    found: (_, user) => user.exec !== undefined,
    says: "exec plugins are not run; put a service account's token in it: " +
      "kubectl create token NAME, then kubectl config set-credentials USER --token=TOKEN",
  },
  {
    found: (_, user) => user["auth-provider"] !== undefined,
    says: "auth-provider plugins are not run; use a token, tokenFile or client certificate",
  },
  {
    found: (_, user) => Boolean(user.username || user.password),
    says: "username and password are not supported by Kubernetes any more; use a token or client certificate",
  },
  { found: (_, user) => Boolean(user.as), says: "impersonation (as) is not supported; use that account's own token" },
];

function parsed(path: string, content: string): z.infer<typeof Kubeconfig> {
  let document: unknown;
  try {
    document = parse(content);
  } catch {
    // Without the parser's words: they quote the file, which holds keys and tokens.
    throw invalid(path, "it is not valid YAML; compare it with what kubectl config view shows");
  }
  const result = Kubeconfig.safeParse(document);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw invalid(path, `it is no kubeconfig (${issue?.path.join(".") || "the whole"} is not as it should be)`);
}

function entry<T extends { name: string }>(
  list: T[] | null | undefined,
  name: string,
  kind: string,
  path: string,
): T {
  const found = list?.find((item) => item.name === name);
  if (found) return found;
  throw invalid(path, `it has no ${kind} named "${name}"; correct current-context or add the ${kind}`);
}

function fromBase64(data: string, path: string, key: string): string {
  const text = Buffer.from(data, "base64").toString();
  if (text.includes("-----BEGIN ")) return text;
  throw invalid(path, `${key} is not the base64 of a PEM text`);
}

function invalid(path: string, reason: string): Fault {
  return new Fault("invalid", `Cannot use the kubeconfig ${path}: ${reason}`, { path: "KUBECONFIG" });
}
