/** Faults on a real cluster, with runs in flight and schedules due; all of them side by side, the longest first. */
import { clusterJourneys } from "../journey/journey.ts";
import { away } from "./away.ts";
import { ENDINGS } from "./endings.ts";
import { KILLED } from "./killed.ts";
import { LINK } from "./link.ts";
import { PIPELINES } from "./pipelines.ts";
import { SUCCESSION } from "./succession.ts";

clusterJourneys("faults", [away(2), ...SUCCESSION, ...LINK, ...PIPELINES, ...KILLED, ...ENDINGS], { atOnce: 6 });
