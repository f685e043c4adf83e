/**
 * Stand-in for the parts of `@std/uuid` that Marquee uses, for builds that can't reach JSR: UUIDs of
 * versions 5 (a name in a namespace) and 7 (time and chance), and checks. The work is done by npm's uuid.
 *
 * @module
 */

export * from "./common.ts";
export * from "./constants.ts";

/** UUIDs of version 5: the SHA-1 of a name in a namespace. */
import * as v5 from "./v5.ts";
/** UUIDs of version 7: the time, then chance. */
import * as v7 from "./v7.ts";

export { v5, v7 };
