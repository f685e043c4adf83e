/** The bounds of the routes, each with what happens at it. */

/** Characters of a request's path and query; a longer one gets 414. */
export const TARGET_CHARACTERS_MAX = 8_192;
/** Bytes of a request's body; no route reads one, a larger one gets 413. */
export const BODY_BYTES_MAX = 65_536;
/** Events of one page, as many as a feed may have; a larger `limit` gets 400. */
export const PAGE_EVENTS_MAX = 1_000_000;
/** Bytes of an answer to a search that is sent in one piece; a longer one is streamed. */
export const ANSWER_JOINED_BYTES_MAX = 262_144;
/** Bytes of an answer to a search from which it may be kept; a shorter one is put together faster than it is found. */
export const ANSWER_KEPT_BYTES_MIN = 32_768;
/** Clients of /events/stream; one more gets 503. */
export const STREAM_CLIENTS_MAX = 1_000;
/** Changes that wait for one client of /events/stream; a client that falls further behind is dropped. */
export const STREAM_QUEUE_MAX = 100;
/** Changes kept so that a client of /events/stream can resume; an older Last-Event-ID gets what is kept. */
export const STREAM_CHANGES_KEPT = 1_000;
/** Pause between two comments that keep an idle stream open, in milliseconds. */
export const STREAM_HEARTBEAT_MS = 15_000;
/** Seconds of one CPU profile; a longer one gets 400. */
export const PROFILE_SECONDS_MAX = 60;
/** Seconds after which a profile may be asked for again that was refused for want of a permission: a restart takes time. */
export const PROFILE_RETRY_SECONDS = 60;
/** Polls or rejected plans in one answer of the admin routes; a larger `limit` gets 400. */
export const ADMIN_LIST_MAX = 1_000;
/** Seconds after which a request that found a full pool, or another process polling, should be sent again. */
export const OVERLOAD_RETRY_SECONDS = 5;
