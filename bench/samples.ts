/**
 * Where the benches write what they measured, and where the book reads it: one SQLite file. A run has the machine,
 * the kernel, the commit and the settings that its samples were taken with; it counts only once it has ended. Several
 * processes may write at the same time.
 *
 * @module
 */
import { cpus } from "node:os";
import { DatabaseSync } from "node:sqlite";

/** Where samples are kept, unless BENCH_DB says otherwise; `:memory:` is possible. */
export const SAMPLES_PATH = "data/bench.sqlite";
/** The version of the tables below. A file of another version is refused. */
export const SCHEMA_VERSION = 1;
/** Runs of a suite that are kept, quick and full ones apart; the oldest goes when another of its kind begins. */
export const RUNS_KEPT = 100;
/** Samples and points of a run; one more is an error. */
export const RUN_ROWS_MAX = 200_000;
/** Rows that wait in memory for one transaction. */
const BATCH_ROWS = 1_000;
/** Characters of a name, and of the settings of a run as JSON; longer ones are an error. */
const NAME_LENGTH_MAX = 120;
const SETTINGS_LENGTH_MAX = 20_000;
/** How long a write waits for another process; then it fails. */
const BUSY_MS_MAX = 10_000;

/** What a sample tells of: every word of it names the sample in the book. */
export interface SampleName {
  /** What was measured: "Marquee, io_uring". */
  subject: string;
  /** What it was asked to do: "keep-alive". */
  workload: string;
  /** Which figure: "cpu_us_per_request", "p99_ms". */
  measure: string;
  /** Of the value: "µs", "ms", "s", "bytes", "MB", "requests/s", "%"; empty for a count or a ratio. */
  unit: string;
}

/** One figure, measured once. */
export interface Sample extends SampleName {
  value: number;
  /** Which turn of several, from 1; without it, the next one of this figure. Ratios are taken within a turn. */
  repetition?: number;
}

/** A figure at one place of a curve. */
export interface Point extends SampleName {
  /** Where: a time, a number of connections. */
  x: number;
  /** Of `x`: "s", "connections". */
  xUnit: string;
  value: number;
}

/** How a run was made. */
export interface RunOptions {
  /** Whether it was a short run, to see that the bench works. The book tells these from full ones. */
  quick?: boolean;
  /** Whether only a part of the suite was asked for. The book leaves such a run out. */
  partial?: boolean;
  /** What else decides the figures: rounds, seconds, connections. */
  settings?: Readonly<Record<string, unknown>>;
}

const SCHEMA = `
CREATE TABLE run (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  suite TEXT NOT NULL,
  started_at TEXT NOT NULL, -- ISO 8601, UTC
  ended_at TEXT,            -- NULL until it has ended: such a run does not count
  quick INTEGER NOT NULL,
  partial INTEGER NOT NULL,
  commit_hash TEXT NOT NULL,
  dirty INTEGER NOT NULL,   -- whether there were changes that no commit has
  cpu TEXT NOT NULL,
  cores INTEGER NOT NULL,
  memory_bytes INTEGER NOT NULL,
  kernel TEXT NOT NULL,
  deno TEXT NOT NULL,
  settings TEXT NOT NULL,   -- JSON
  command TEXT NOT NULL
) STRICT;
CREATE INDEX run_of_suite ON run (suite, id);
CREATE TABLE sample (
  run INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
  subject TEXT NOT NULL,
  workload TEXT NOT NULL,
  measure TEXT NOT NULL,
  repetition INTEGER NOT NULL,
  unit TEXT NOT NULL,
  value REAL NOT NULL,
  PRIMARY KEY (run, subject, workload, measure, repetition)
) STRICT, WITHOUT ROWID;
CREATE TABLE point (
  run INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
  subject TEXT NOT NULL,
  workload TEXT NOT NULL,
  measure TEXT NOT NULL,
  x REAL NOT NULL,
  x_unit TEXT NOT NULL,
  unit TEXT NOT NULL,
  value REAL NOT NULL
) STRICT;
CREATE INDEX point_of_run ON point (run, subject, workload, measure);
PRAGMA user_version = ${SCHEMA_VERSION};
`;

/**
 * The file of samples, to write to.
 *
 * @example
 * ```ts
 * import { Samples } from "./samples.ts";
 *
 * using samples = Samples.open(":memory:");
 * const run = samples.begin("throughput", { quick: true, settings: { seconds: 1 } });
 * run.record({
 *   subject: "Marquee, io_uring",
 *   workload: "keep-alive",
 *   measure: "cpu_us_per_request",
 *   unit: "µs",
 *   value: 5.97,
 * });
 * run.end();
 * ```
 */
export class Samples implements Disposable {
  readonly #database: DatabaseSync;

  private constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /**
   * Opens the file, which is made if there is none.
   *
   * @param path Else what BENCH_DB says, else {@linkcode SAMPLES_PATH} of this checkout
   * @returns The caller's to dispose
   * @throws {Error} If it is no file of samples, or one of another schema version
   */
  static open(path?: string): Samples {
    return new Samples(openDatabase(path ?? samplesPath()));
  }

  /**
   * Begins a run of a suite.
   *
   * @throws {RangeError} If a name or the settings are too long
   */
  begin(suite: string, options: RunOptions = {}): Run {
    checkName("suite", suite);
    const settings = JSON.stringify(options.settings ?? {});
    if (settings.length > SETTINGS_LENGTH_MAX) {
      throw new RangeError(
        `the settings of ${suite} have ${settings.length} characters; ${SETTINGS_LENGTH_MAX} are kept`,
      );
    }
    const { commit, isDirty } = readCommit();
    let id = 0;
    transaction(this.#database, () => {
      this.#database.prepare(
        `DELETE FROM run WHERE suite = ?1 AND quick = ?2 AND id NOT IN
           (SELECT id FROM run WHERE suite = ?1 AND quick = ?2 ORDER BY id DESC LIMIT ?3)`,
      ).run(suite, Number(options.quick ?? false), RUNS_KEPT - 1);
      const { lastInsertRowid } = this.#database.prepare(
        "INSERT INTO run VALUES (NULL, ?, ?, NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      ).run(
        suite,
        new Date().toISOString(),
        Number(options.quick ?? false),
        Number(options.partial ?? false),
        commit,
        Number(isDirty),
        cpus()[0]?.model.trim() || "unknown",
        navigator.hardwareConcurrency,
        Deno.systemMemoryInfo().total,
        `${Deno.build.os} ${Deno.osRelease()}`,
        Deno.version.deno,
        settings,
        commandLine(),
      );
      id = Number(lastInsertRowid);
    });
    return new Run(this.#database, id, suite);
  }

  /** Closes the file; a run that has not ended never counts. */
  [Symbol.dispose](): void {
    this.#database.close();
  }
}

/** A run that is going on, from {@linkcode Samples.begin}. */
export class Run {
  /** The number by which the book cites it. */
  readonly id: number;
  readonly #database: DatabaseSync;
  readonly #suite: string;
  readonly #repetitions = new Map<string, number>();
  #samples: Required<Sample>[] = [];
  #points: Point[] = [];
  #rows = 0;
  #hasEnded = false;

  /** @param database Open for as long as the run goes on, and {@linkcode Samples}' to close */
  constructor(database: DatabaseSync, id: number, suite: string) {
    this.#database = database;
    this.id = id;
    this.#suite = suite;
  }

  /**
   * Takes a sample down.
   *
   * @throws {RangeError} If the value is no finite number, a name is empty or too long, or there are too many
   * @throws {Error} If the run has ended, or the same repetition was recorded before
   */
  record(sample: Sample): void {
    this.#admit(sample);
    const key = [sample.subject, sample.workload, sample.measure].join("\n");
    const repetition = sample.repetition ?? (this.#repetitions.get(key) ?? 0) + 1;
    this.#repetitions.set(key, Math.max(repetition, this.#repetitions.get(key) ?? 0));
    this.#samples.push({ ...sample, repetition });
    this.#writeFullBatch();
  }

  /**
   * Takes a point of a curve down; the points of one name are one curve.
   *
   * @throws As {@linkcode Run.record}
   */
  series(point: Point): void {
    this.#admit(point);
    checkNumber(`x of ${point.measure}`, point.x);
    checkName("xUnit", point.xUnit);
    this.#points.push({ ...point });
    this.#writeFullBatch();
  }

  /**
   * Ends the run: from now on it counts.
   *
   * @throws {Error} If it has ended before, or nothing was recorded
   */
  end(): void {
    if (this.#hasEnded) throw new Error(`the run of ${this.#suite} has ended before`);
    if (this.#rows === 0) throw new Error(`the run of ${this.#suite} recorded nothing`);
    this.#write(true);
    this.#hasEnded = true;
  }

  #admit(sample: Sample | Point): void {
    if (this.#hasEnded) throw new Error(`the run of ${this.#suite} has ended: begin another`);
    for (const name of ["subject", "workload", "measure"] as const) checkName(name, sample[name]);
    if (sample.unit !== "") checkName("unit", sample.unit);
    checkNumber(`${sample.subject}, ${sample.workload}, ${sample.measure}`, sample.value);
    if (++this.#rows > RUN_ROWS_MAX) {
      throw new RangeError(`a run has at most ${RUN_ROWS_MAX} samples: record fewer points`);
    }
  }

  #writeFullBatch(): void {
    if (this.#samples.length + this.#points.length >= BATCH_ROWS) this.#write(false);
  }

  #write(ends: boolean): void {
    transaction(this.#database, () => {
      const sample = this.#database.prepare("INSERT INTO sample VALUES (?, ?, ?, ?, ?, ?, ?)");
      for (const { subject, workload, measure, repetition, unit, value } of this.#samples) {
        try {
          sample.run(this.id, subject, workload, measure, repetition, unit, value);
        } catch (error) {
          const what = `${subject}, ${workload}, ${measure}, repetition ${repetition}`;
          throw new Error(`${what} of ${this.#suite} can't be recorded`, { cause: error });
        }
      }
      const point = this.#database.prepare("INSERT INTO point VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
      for (const { subject, workload, measure, x, xUnit, unit, value } of this.#points) {
        point.run(this.id, subject, workload, measure, x, xUnit, unit, value);
      }
      if (ends) {
        this.#database.prepare("UPDATE run SET ended_at = ? WHERE id = ?")
          .run(new Date().toISOString(), this.id);
      }
    });
    this.#samples = [];
    this.#points = [];
  }
}

/** Where the benches of this checkout write: BENCH_DB, else {@linkcode SAMPLES_PATH}, wherever they were started. */
export function samplesPath(): string {
  return Deno.env.get("BENCH_DB") || new URL(`../${SAMPLES_PATH}`, import.meta.url).pathname;
}

/**
 * Opens a file of samples.
 *
 * @returns The caller's to close
 * @throws {Error} If it is no file of samples, or one of another schema version
 */
export function openDatabase(path: string): DatabaseSync {
  const folder = path.slice(0, path.lastIndexOf("/"));
  if (path !== ":memory:" && folder !== "") Deno.mkdirSync(folder, { recursive: true });
  const database = new DatabaseSync(path, { timeout: BUSY_MS_MAX });
  try {
    database.exec("PRAGMA foreign_keys = ON");
    // Two processes may find a new file at the same time: the second one waits, and finds the tables.
    transaction(database, () => {
      const version = Number(database.prepare("PRAGMA user_version").get()?.user_version);
      if (version === SCHEMA_VERSION) return;
      if (version !== 0) {
        throw new Error(`it has schema ${version}, this program ${SCHEMA_VERSION}`);
      }
      database.exec(SCHEMA);
    });
  } catch (error) {
    database.close();
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`${path} is no file of samples (${reason}): move it away, or set BENCH_DB`, {
      cause: error,
    });
  }
  return database;
}

function transaction(database: DatabaseSync, body: () => void): void {
  database.exec("BEGIN IMMEDIATE");
  try {
    body();
    database.exec("COMMIT");
  } catch (error) {
    database.exec("ROLLBACK");
    throw error;
  }
}

/** What the book's references are written with is in no name. */
function checkName(what: string, name: string): void {
  if (name === "" || name !== name.trim() || /[\r\n{}|;]| \/ | over /.test(name)) {
    throw new RangeError(
      `${what} is ${JSON.stringify(name)}: it wants a line without { } | ; " / " and " over "`,
    );
  }
  if (name.length > NAME_LENGTH_MAX) {
    throw new RangeError(
      `${what} has ${name.length} characters, at most ${NAME_LENGTH_MAX} are kept`,
    );
  }
}

function checkNumber(what: string, value: number): void {
  if (!Number.isFinite(value)) {
    throw new RangeError(`${what} is ${value}: record what was measured`);
  }
}

let known: { commit: string; isDirty: boolean } | null = null;

/** What was measured is known by the commit that it was built from: the one at this process's first run. */
function readCommit(): { commit: string; isDirty: boolean } {
  return known ??= askGit();
}

function askGit(): { commit: string; isDirty: boolean } {
  const git = (...args: string[]): string | null => {
    try {
      const cwd = new URL("..", import.meta.url).pathname;
      const { success, stdout } = new Deno.Command("git", { args, cwd, stderr: "null" })
        .outputSync();
      return success ? new TextDecoder().decode(stdout).trim() : null;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return null;
      throw error;
    }
  };
  const commit = git("rev-parse", "HEAD");
  return { commit: commit ?? "unknown", isDirty: git("status", "--porcelain") !== "" };
}

/** As it can be given again, in the checkout. */
function commandLine(): string {
  const root = new URL("..", import.meta.url).href;
  const program = Deno.mainModule.replace(root, "");
  return ["deno run -A", program, ...Deno.args].join(" ");
}
