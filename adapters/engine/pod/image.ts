/** Names of container images: their grammar, and what of a name says where the image comes from. */

/** An image's name, taken apart. */
export interface Image {
  /** With its registry: `docker.io/library/busybox`. */
  repository: string;
  tag?: string;
  digest?: string;
}

const HOST_PART = "(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])";
const HOST = `(?:${HOST_PART}(?:\\.${HOST_PART})*|\\[[0-9a-fA-F:]+\\])(?::[0-9]{1,5})?`;
const PART = "[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*";
const NAME = new RegExp(
  `^((?:${HOST}/)?${PART}(?:/${PART})*)(?::([A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?` +
    "(?:@([A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}))?$",
);
const LONGEST = 512, LONGEST_REPOSITORY = 255;

/**
 * Reads `[host[:port]/]path[:tag][@algorithm:digest]`; undefined for anything else.
 * The grammar is https://github.com/distribution/reference; hosts that are left out are docker.io's, as runtimes read them.
 */
export function parseImage(text: string): Image | undefined {
  const found = text.length <= LONGEST ? NAME.exec(text) : undefined;
  const [, name, tag, digest] = found ?? [];
  if (name === undefined || name.length > LONGEST_REPOSITORY) return undefined;
  return {
    repository: withRegistry(name),
    ...tag === undefined ? {} : { tag },
    ...digest === undefined ? {} : { digest },
  };
}

function withRegistry(name: string): string {
  const slash = name.indexOf("/");
  const first = name.slice(0, Math.max(slash, 0));
  if (/[.:A-Z[]/.test(first) || first === "localhost") return name.replace(/^index\.docker\.io\//, "docker.io/");
  return slash < 0 ? `docker.io/library/${name}` : `docker.io/${name}`;
}
