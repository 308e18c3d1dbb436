/** The control plane is away for ten scheduled runs, of which five fail. */
import { away } from "../faults/away.ts";
import { clusterJourneys } from "../journey/journey.ts";

clusterJourneys("a long absence", [away(10)]);
