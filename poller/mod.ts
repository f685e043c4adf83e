/**
 * Where facts enter Marquee: providers are asked for their feeds on a schedule, feeds are read as streams, and what
 * they list goes to the store, whole polls only. {@linkcode Provider} is all that the poller knows of a source;
 * {@linkcode XmlProvider} is the one for the XML feed. A provider that fails is asked again with growing pauses, and
 * left alone by a circuit breaker when it keeps failing.
 *
 * @module
 */
export * from "./feed_task.ts";
export * from "./http_feed.ts";
export * from "./poller.ts";
export * from "./provider.ts";
export * from "./provider_names.ts";
export * from "./schedule.ts";
export * from "./xml_feed.ts";
export * from "./xml_provider.ts";
