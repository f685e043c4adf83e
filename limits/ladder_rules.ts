import { HALF_OPEN_SECONDS_MAX, LIMIT_CEILING, TIER_CONNECTIONS_MAX, TIERS_MAX } from "./limits.ts";

/**
 * A connection limit in the packet filter that can be moved while it keeps its count.
 *
 * nft's `ct count over N` counts from nothing whenever its rule is replaced, so a limit that is changed by replacing it
 * admits everything anew. In a ladder no counting rule is ever replaced: each tier counts all connections from the
 * start, and changing the limit only changes which of the tiers refuses.
 *
 * ```
 * input ─ SYN to the port ─▶ ladder1 ─▶ count_300 ─ over 300 ─▶ over_300 ─▶ refuse: counter, TCP reset
 *                              │ (the tier in force comes first: what it refuses, no other tier counts)
 *                              ├──────▶ count_100 ─ over 100 ─▶ over_100   (empty: nothing happens)
 *                              └──────▶ count_500 ─ over 500 ─▶ over_500   (empty)
 * ```
 */
export interface Ladder {
  /** The TCP port whose new connections are counted, IPv4 and IPv6 together. */
  readonly port: number;
  /** The limits that it can hold, ascending, from {@linkcode chooseTiers}. */
  readonly tiers: readonly number[];
}

/** What is found of a ladder in the kernel. */
export interface InstalledLadder extends Ladder {
  /** The limit in force; `null` where no tier refuses. */
  readonly limit: number | null;
  /** Connections refused since the table was made. */
  readonly rejections: number;
  /** Whether the chains and their rules are those that {@linkcode installRules} makes, so that the limit can be moved. */
  readonly isComplete: boolean;
  /** Whether half-open and half-closed connections have timeouts of their own. */
  readonly hasTimeouts: boolean;
}

/** The chain that visits the tiers; its name changes with the layout, so that tables of another layout are told apart. */
const LADDER_CHAIN = "ladder1";
const TIER_CHAIN = /^count_(\d+)$/;
const REFUSING_CHAIN = /^over_(\d+)$/;
/** After the filters of others (0), so that what they drop takes no place here. */
const PRIORITY = "filter + 10";

/**
 * Chooses the tiers for limits between two bounds, which are always among them: as many as {@linkcode TIERS_MAX} and
 * {@linkcode TIER_CONNECTIONS_MAX} allow, at equal ratios, so that rounding a limit down takes the same share of it
 * everywhere. A fixed limit, given as both bounds, is one tier.
 *
 * @throws {RangeError} where the bounds are no whole numbers from 1 to {@linkcode LIMIT_CEILING}, or the wrong
 * way round
 *
 * @example
 * ```ts
 * import { chooseTiers } from "./ladder_rules.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(chooseTiers(500, 500), [500]);
 * assertEquals(chooseTiers(20, 1_000), [20, 35, 61, 107, 187, 327, 572, 1_000]);
 * ```
 */
export function chooseTiers(minimum: number, maximum: number): number[] {
  for (const bound of [minimum, maximum]) {
    if (!Number.isInteger(bound) || bound < 1 || bound > LIMIT_CEILING) {
      throw new RangeError(
        `a connection limit of ${bound}: give a whole number from 1 to ${LIMIT_CEILING}`,
      );
    }
  }
  if (minimum > maximum) {
    throw new RangeError(`connection limits from ${minimum} to ${maximum}: give the lower first`);
  }
  if (minimum === maximum) return [maximum];
  const affordable = Math.floor(TIER_CONNECTIONS_MAX / maximum);
  const steps = Math.min(TIERS_MAX, Math.max(2, affordable)) - 1;
  const ratio = maximum / minimum;
  const tiers = Array.from(
    { length: steps + 1 },
    (_, step) => Math.round(minimum * ratio ** (step / steps)),
  );
  return [...new Set(tiers)];
}

/**
 * The tier that holds a wanted limit: the highest that is not above it, or the first.
 *
 * @throws {RangeError} where the limit is no number
 *
 * @example
 * ```ts
 * import { tierFor } from "./ladder_rules.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(tierFor([100, 200, 400], 399.5), 200);
 * assertEquals(tierFor([100, 200, 400], 1), 100);
 * ```
 */
export function tierFor(tiers: readonly number[], limit: number): number {
  if (Number.isNaN(limit)) throw new RangeError("the connection limit is no number");
  return tiers.findLast((tier) => tier <= limit) ?? tiers[0];
}

/** The table of a port, with its family, as nft wants it. */
export function tableName(port: number): string {
  return `inet marquee_${port}`;
}

/** The counter that the refused connections of a port are counted in, as nft wants it. */
export function counterName(port: number): string {
  return `${tableName(port)} rejected`;
}

/**
 * The transaction that installs a ladder, in place of whatever table of that name there is.
 *
 * Only the SYN that begins a connection is looked at. Packets of a connection that the kernel does not know, as one that
 * is older than the rules, count as new to it and would be refused otherwise.
 *
 * @param limit One of the tiers
 * @param setsTimeouts Whether half-open and half-closed connections of the port lose their place after
 * {@linkcode HALF_OPEN_SECONDS_MAX} without a packet; needs a kernel with CONFIG_NF_CONNTRACK_TIMEOUT
 */
export function installRules(ladder: Ladder, limit: number, setsTimeouts = true): string {
  const { port, tiers } = ladder;
  const table = tableName(port);
  const begins = `tcp dport ${port} ct state new tcp flags & (fin | syn | rst | ack) == syn`;
  const setTimeouts = 'ct timeout set "half_open"';
  const seconds = ["syn_sent", "syn_recv", "close_wait"]
    .map((state) => `${state} : ${HALF_OPEN_SECONDS_MAX}`).join(", ");
  return [
    // Adding it first makes deleting it succeed where there was none.
    `add table ${table}`,
    `delete table ${table}`,
    `table ${table} {`,
    "  counter rejected { }",
    // "ip" stands for both families: the kernel compares only the protocol above it.
    setsTimeouts && `  ct timeout half_open { protocol tcp; l3proto ip; policy = { ${seconds} }; }`,
    '  chain refuse { counter name "rejected" reject with tcp reset; }',
    ...tiers.flatMap((tier) => [
      `  chain over_${tier} { ${tier === limit ? "goto refuse; " : ""}}`,
      `  chain count_${tier} { ct count over ${tier} jump over_${tier}; }`,
    ]),
    `  chain ${LADDER_CHAIN} {`,
    ...visits(tiers, limit).map((tier) => `    jump count_${tier};`),
    "  }",
    "  chain input {",
    `    type filter hook input priority ${PRIORITY}; policy accept;`,
    `    ${begins} jump ${LADDER_CHAIN};`,
    setsTimeouts && `    ${begins} ${setTimeouts};`,
    "  }",
    // On loopback a connection is settled before it reaches input, too late to be given other timeouts.
    setsTimeouts && "  chain output {",
    setsTimeouts && `    type filter hook output priority ${PRIORITY}; policy accept;`,
    setsTimeouts && `    oif lo ${begins} ${setTimeouts};`,
    setsTimeouts && "  }",
    "}",
  ].filter((line) => line !== false).join("\n");
}

/**
 * The transaction that moves the limit of an installed ladder; every count stays as it is.
 *
 * @param limit One of the tiers
 */
export function limitRules({ port, tiers }: Ladder, limit: number): string {
  const table = tableName(port);
  return [
    `flush chain ${table} ${LADDER_CHAIN}`,
    ...visits(tiers, limit).map((tier) => `add rule ${table} ${LADDER_CHAIN} jump count_${tier}`),
    ...tiers.map((tier) => `flush chain ${table} over_${tier}`),
    `add rule ${table} over_${limit} goto refuse`,
  ].join("\n");
}

/** The transaction that removes the table of a port, whether there is one or not. */
export function removeRules(port: number): string {
  const table = tableName(port);
  return `add table ${table}\ndelete table ${table}`;
}

/**
 * Reads a ladder from what `nft --json list table` prints about it.
 *
 * @throws {SyntaxError} where that is no JSON
 */
export function readLadder(port: number, listing: string): InstalledLadder {
  const { nftables } = JSON.parse(listing) as { nftables: Listed[] };
  const chains = new Set<string>(), chainsWithRules = new Set<string>();
  let limit: number | null = null, rejections = 0;
  for (const { chain, rule, counter } of nftables) {
    if (chain !== undefined) chains.add(chain.name);
    if (rule !== undefined) chainsWithRules.add(rule.chain);
    if (counter?.name === "rejected") rejections = counter.packets;
    const refusing = REFUSING_CHAIN.exec(rule?.chain ?? "");
    if (refusing !== null) limit = Number(refusing[1]);
  }
  const tiers = [...chains].map((name) => Number(TIER_CHAIN.exec(name)?.[1] ?? 0))
    .filter((tier) => tier > 0).sort((a, b) => a - b);
  const withRules = ["input", "refuse", LADDER_CHAIN, ...tiers.map((tier) => `count_${tier}`)];
  const isComplete = tiers.length > 0 && withRules.every((name) => chainsWithRules.has(name)) &&
    tiers.every((tier) => chains.has(`over_${tier}`));
  return { port, tiers, limit, rejections, isComplete, hasTimeouts: chains.has("output") };
}

/** An object of nft's JSON, as far as it matters here (libnftables-json(5)). */
interface Listed {
  chain?: { name: string };
  rule?: { chain: string };
  counter?: { name: string; packets: number };
}

/** The tiers in the order in which a new connection visits them: the one that may refuse it first. */
function visits(tiers: readonly number[], limit: number): number[] {
  return [limit, ...tiers.filter((tier) => tier !== limit)];
}
