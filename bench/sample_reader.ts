import type { DatabaseSync } from "node:sqlite";
import { openDatabase, type SampleName } from "./samples.ts";

/** A run as it was taken down, whether it has ended or not. */
export interface RunRecord {
  id: number;
  suite: string;
  /** ISO 8601, UTC. */
  startedAt: string;
  hasEnded: boolean;
  isQuick: boolean;
  /** Whether only a part of the suite was asked for. */
  isPartial: boolean;
  /** In full, or "unknown". */
  commit: string;
  /** Whether there were changes that no commit has. */
  isDirty: boolean;
  cpu: string;
  cores: number;
  memoryBytes: number;
  kernel: string;
  deno: string;
  settings: Record<string, unknown>;
  command: string;
}

/** Which samples: all that names them but the unit. */
export type SampleKey = Omit<SampleName, "unit">;

/** The samples of one figure, in the order of their repetitions. */
export interface SampleValues {
  unit: string;
  values: number[];
}

/** A curve, in the order of x. */
export interface Series {
  unit: string;
  xUnit: string;
  points: { x: number; value: number }[];
}

/** Reads what {@linkcode Samples} wrote. */
export class SampleReader implements Disposable {
  readonly #database: DatabaseSync;

  private constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /**
   * Opens a file of samples.
   *
   * @returns The caller's to dispose
   * @throws {Error} If there is none, or it is one of another schema version
   */
  static open(path: string): SampleReader {
    try {
      Deno.statSync(path);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      throw new Error(`there are no samples in ${path}: run a bench, or set BENCH_DB`);
    }
    return new SampleReader(openDatabase(path));
  }

  /** The runs of a suite, the newest first. */
  runs(suite: string): RunRecord[] {
    const rows = this.#database.prepare("SELECT * FROM run WHERE suite = ? ORDER BY id DESC")
      .all(suite);
    return rows.map((row) => ({
      id: Number(row.id),
      suite: String(row.suite),
      startedAt: String(row.started_at),
      hasEnded: row.ended_at !== null,
      isQuick: row.quick === 1,
      isPartial: row.partial === 1,
      commit: String(row.commit_hash),
      isDirty: row.dirty === 1,
      cpu: String(row.cpu),
      cores: Number(row.cores),
      memoryBytes: Number(row.memory_bytes),
      kernel: String(row.kernel),
      deno: String(row.deno),
      settings: JSON.parse(String(row.settings)),
      command: String(row.command),
    }));
  }

  /** The samples of one figure of a run, or `null` where it has none. */
  samples(run: RunRecord, { subject, workload, measure }: SampleKey): SampleValues | null {
    const rows = this.#database.prepare(
      "SELECT unit, value FROM sample WHERE run = ? AND subject = ? AND workload = ? AND measure = ? ORDER BY repetition",
    ).all(run.id, subject, workload, measure);
    if (rows.length === 0) return null;
    return { unit: String(rows[0].unit), values: rows.map(({ value }) => Number(value)) };
  }

  /** A curve of a run, or `null` where it has none. */
  series(run: RunRecord, { subject, workload, measure }: SampleKey): Series | null {
    const rows = this.#database.prepare(
      "SELECT x, x_unit, unit, value FROM point WHERE run = ? AND subject = ? AND workload = ? AND measure = ? ORDER BY x",
    ).all(run.id, subject, workload, measure);
    if (rows.length === 0) return null;
    return {
      unit: String(rows[0].unit),
      xUnit: String(rows[0].x_unit),
      points: rows.map(({ x, value }) => ({ x: Number(x), value: Number(value) })),
    };
  }

  /** The names of all samples and curves of a run, in order. */
  names(run: RunRecord): SampleKey[] {
    const rows = this.#database.prepare(
      `SELECT DISTINCT subject, workload, measure FROM sample WHERE run = ?
       UNION SELECT DISTINCT subject, workload, measure FROM point WHERE run = ?
       ORDER BY workload, measure, subject`,
    ).all(run.id, run.id);
    return rows.map(({ subject, workload, measure }) => ({
      subject: String(subject),
      workload: String(workload),
      measure: String(measure),
    }));
  }

  /** Closes the file. */
  [Symbol.dispose](): void {
    this.#database.close();
  }
}
