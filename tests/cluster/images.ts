/**
 * The images that the cluster suite runs, by environment: any registry that the cluster pulls from will do. Those that
 * tests/cluster/images/build.ts makes have names of their own here.
 */

/** One image: how it is told to the suite, and what it is. */
export interface TestImage {
  variable: string;
  what: string;
  /** Its name where build.ts made it. */
  built: string;
}

export const TEST_IMAGES = {
  runner: {
    variable: "TEST_RUNNER_IMAGE",
    what: "hybrid-runner itself, as dist/hybrid-runner is now",
    built: "localhost/hybrid-runner:test",
  },
  openMetadata: {
    variable: "TEST_OPENMETADATA_IMAGE",
    what: "the stand-in for OpenMetadata's ingestion image (tests/cluster/images/ingestion)",
    built: "localhost/openmetadata/ingestion:test",
  },
  job: {
    variable: "TEST_JOB_IMAGE",
    what: "any image with sh, sleep and cat, such as busybox",
    built: "localhost/busybox:local",
  },
} as const satisfies Record<string, TestImage>;

/** The name of the image. Throws a sentence where none was told. */
export function imageOf(which: keyof typeof TEST_IMAGES): string {
  const { variable, what, built } = TEST_IMAGES[which];
  const told = Deno.env.get(variable) || (Deno.env.get("TESTBED") ? built : undefined);
  if (told !== undefined) return told;
  throw new Error(
    `Cannot test against a cluster: ${variable} is not set; set it to an image that the cluster can pull: ${what} ` +
      "(deno task test:cluster:images makes it and says how to load it)",
  );
}

/** The sentence for an image that no node has. */
export function absent(which: keyof typeof TEST_IMAGES, reason: string): Error {
  const { variable, what } = TEST_IMAGES[which];
  return new Error(
    `Cannot test against a cluster: its nodes cannot get ${imageOf(which)} (${what}): ${reason}; load it into them ` +
      `(deno task test:cluster:images), or set ${variable} to one that they can pull`,
  );
}
