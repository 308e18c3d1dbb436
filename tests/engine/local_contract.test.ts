import { contract } from "../contract/engine.ts";
import { makeLocalHarness } from "./local_harness.ts";

contract("local engine", makeLocalHarness, { lacks: ["schedules-while-away", "diagnose"] });
