/** The suite of cluster access over the fake API server. */
import { contract } from "../contract/cluster_access.ts";
import { fakeHarness } from "./harness.ts";

contract("fake", fakeHarness);
