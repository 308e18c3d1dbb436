import { contract } from "../contract/engine.ts";
import { makeMemoryHarness } from "./memory_harness.ts";

contract("memory engine", makeMemoryHarness, { lacks: ["schedules-while-away", "diagnose"] });
