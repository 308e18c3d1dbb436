import assert from "node:assert/strict";
import { contract } from "../contract/secrets.ts";
import { envHarness, fileHarness, kubernetesHarness } from "./harness.ts";
import { test } from "../limited.ts";

contract("file", fileHarness);

contract("kubernetes", kubernetesHarness, { lacks: ["key"] });

contract("env", envHarness, {
  skip: [
    { reason: "a variable holds text without NUL", checks: ["bytes that are no text are read byte for byte"] },
    {
      reason: "the environment is a part of this process: it cannot be away, nor keep anybody waiting",
      checks: [
        "a backend that cannot be reached is unavailable",
        "an abort in the midst of a read passes as the signal's reason",
      ],
    },
  ],
});

test("secrets/contract: a skip that names no check is an error", () => {
  const skip = [{ reason: "a typing error", checks: ["a mising secret is not_found"] }];
  assert.throws(() => contract("file", fileHarness, { skip }), /there is no such check/);
});
