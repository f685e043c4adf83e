/**
 * The demo provider: a stand-in for the outside provider whose feed Marquee polls. It is a real HTTP
 * server that publishes a season of invented events as XML, in a provider's format, changes it as
 * time goes by, forgets the past, and fails on request in each of the ways that providers fail.
 *
 * The season is a pure function of seed, number of plans and clock, streamed as it is told, so a
 * million plans cost no memory and two polls in the same ten minutes get the same bytes.
 *
 * It knows nothing of Marquee: no other folder is imported here. `main.ts` is its command line.
 *
 * @module
 */

export { FAULT_NAMES, type FaultName } from "./faults.ts";
export type { Vocabulary } from "./feed.ts";
export { createDemoProvider, type DemoProvider, type DemoProviderOptions } from "./provider.ts";
export { type RunningDemoProvider, serveDemoProvider } from "./serve.ts";
