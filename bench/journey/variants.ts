/** What the servers of the journey are started with. */
export interface ServerInputs {
  /** How many events there are. */
  events: number;
  /** A file with them, as {@linkcode toResultsJson} makes it. */
  results: string;
  /** A folder for what a server stores. */
  folder: string;
  /** Mean bytes of an answer, for the one that sends as many. */
  bodyBytes: number;
}

/** A step of the design, as it is measured. */
export interface Variant {
  /** What `--variant` calls it. */
  name: string;
  /** What it is called in tables and samples. */
  subject: string;
  /** What it needs of the kernel, if anything. */
  transport: "uring" | null;
  coding: "identity" | "gzip";
  /** Whether its answers are those of a search, or only as long. */
  isSearch: boolean;
  /** How many of the paths it is asked for; all of them if left out. */
  pathsMax?: number;
  /** A program in bench/ and its arguments. */
  command(inputs: ServerInputs): string[];
  /** Variants that name the same server are asked of one process. */
  server: string;
}

/** Answers of some 9 kB each that a server keeps. */
export const ANSWERS_KEPT = 10_000;
/** Ranges that it is asked for when it is to have them all. */
const PATHS_KEPT = 1_000;

const catalogue = (transport: string) => ({ events }: ServerInputs) => [
  "catalogue_server.ts",
  String(events),
  transport,
];
const cached = ({ results }: ServerInputs) => [
  "journey/server.ts",
  "cached",
  results,
  String(ANSWERS_KEPT),
];
const plain = { transport: null, coding: "identity", isSearch: true } as const;

/** All steps, in the order in which they were taken. */
export const VARIANTS: readonly Variant[] = [
  {
    ...plain,
    name: "kv-list",
    server: "kv-list",
    subject: "Deno.serve, KV list",
    command: ({ results, folder }) => ["journey/server.ts", "kv-list", results, folder],
  },
  {
    ...plain,
    name: "index",
    server: "index",
    subject: "Deno.serve, index",
    command: ({ results }) => ["peers/deno_filter.ts", results, "index"],
  },
  {
    ...plain,
    name: "cached",
    server: "cached",
    subject: "Deno.serve, cached answers",
    command: cached,
  },
  {
    ...plain,
    name: "cached-all",
    server: "cached-all",
    subject: "Deno.serve, cached answers, all kept",
    pathsMax: PATHS_KEPT,
    command: cached,
  },
  {
    ...plain,
    name: "editions",
    server: "editions",
    subject: "Deno.serve, editions",
    command: catalogue("deno"),
  },
  {
    ...plain,
    name: "io_uring-constant",
    server: "io_uring-constant",
    subject: "io_uring, a constant",
    transport: "uring",
    isSearch: false,
    command: ({ bodyBytes }) => [
      "native_server.ts",
      "--transport=uring",
      `--bytes=${Math.round(bodyBytes)}`,
    ],
  },
  {
    ...plain,
    name: "io_uring-editions",
    server: "editions on io_uring",
    subject: "io_uring, editions",
    transport: "uring",
    command: catalogue("uring"),
  },
  {
    ...plain,
    name: "pre-deflated",
    server: "editions on io_uring",
    subject: "io_uring, pre-deflated editions",
    transport: "uring",
    coding: "gzip",
    command: catalogue("uring"),
  },
];
