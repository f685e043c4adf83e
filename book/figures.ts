import type {
  RunRecord,
  SampleKey,
  SampleReader,
  SampleValues,
  Series,
} from "../bench/sample_reader.ts";
import { ratio, type Spread, spread } from "../bench/statistics.ts";
import { formatReference, type Reference } from "./reference.ts";

/** A figure with the run that it comes from. */
export interface Figure extends Spread {
  unit: string;
  run: RunRecord;
}

/** A figure that no run produced. The message says which run would. */
export class MissingFigure extends Error {
  override name = "MissingFigure";
  /** Whether there is a run, but a quick one, which has less than a full one. */
  readonly isOfQuickRun: boolean;

  /** @param message What is missing and what makes it */
  constructor(message: string, isOfQuickRun = false) {
    super(message);
    this.isOfQuickRun = isOfQuickRun;
  }
}

/** What makes runs of a suite. */
export interface SuiteCommand {
  /** The task: `deno task bench:churn`. */
  task: string;
  /** What the task gives its program by itself, which runs have among their arguments. */
  args: string;
}

type FigureReference = Extract<Reference, { kind: "figure" }>;

/**
 * Finds the samples that references name: for each suite those of the newest run that counts, and of no other, so that
 * figures beside each other come from one run.
 */
export class Figures {
  readonly #reader: SampleReader;
  readonly #allowsQuick: boolean;
  readonly #commands: Readonly<Record<string, SuiteCommand>>;
  readonly #runs = new Map<string, RunRecord>();

  /**
   * @param reader Open for as long as this is used, and the caller's to close
   * @param allowsQuick Whether quick runs count as well
   * @param commands What makes a run of a suite
   */
  constructor(
    reader: SampleReader,
    allowsQuick: boolean,
    commands: Readonly<Record<string, SuiteCommand>> = {},
  ) {
    this.#reader = reader;
    this.#allowsQuick = allowsQuick;
    this.#commands = commands;
  }

  /**
   * The newest run of a suite that has ended, is whole, and is not quick unless quick ones are allowed.
   *
   * @throws {MissingFigure} If there is none
   */
  run(suite: string): RunRecord {
    const known = this.#runs.get(suite);
    if (known !== undefined) return known;
    const runs = this.#reader.runs(suite);
    const found = runs.find(({ hasEnded, isQuick, isPartial }) =>
      hasEnded && !isPartial && (this.#allowsQuick || !isQuick)
    );
    if (found === undefined) {
      const newest = runs.slice(0, 3).map((run) => `run ${run.id} ${whyNot(run)}`).join(", ");
      const which = this.#allowsQuick ? "run" : "full run";
      throw new MissingFigure(
        `there is no ${which} of ${suite}${newest && ` (${newest})`}: ${this.#remedy(suite)}`,
      );
    }
    this.#runs.set(suite, found);
    return found;
  }

  /**
   * The figure that a reference names.
   *
   * @throws {MissingFigure} If no run has it
   * @throws {RangeError} If it is a ratio of what can't be divided
   */
  figure(reference: FigureReference): Figure {
    const run = this.run(reference.suite);
    const { unit, values } = this.#samples(run, reference.of);
    if (reference.over === null) return { ...spread(values), unit, run };
    const over = this.#samples(run, reference.over);
    if (over.unit !== unit) {
      throw new RangeError(`${unit} over ${over.unit} is no ratio (${formatReference(reference)})`);
    }
    return { ...ratio(values, over.values), unit: "", run };
  }

  /**
   * The curve that a reference names.
   *
   * @throws {MissingFigure} If no run has it
   */
  series(reference: FigureReference): Series & { run: RunRecord } {
    const run = this.run(reference.suite);
    const series = this.#reader.series(run, reference.of);
    if (series === null) throw this.#missing(run, reference.of, "curve");
    return { ...series, run };
  }

  /**
   * A setting of a suite's run, or what is known of the run itself: machine, cores, kernel, commit, date, command.
   *
   * @throws {MissingFigure} If the run has no such setting
   */
  setting(suite: string, name: string): { value: string | number; run: RunRecord } {
    const run = this.run(suite);
    const known: Record<string, unknown> = {
      ...run.settings,
      machine: describeMachine(run),
      cores: run.cores,
      kernel: run.kernel,
      commit: describeCommit(run),
      date: run.startedAt.slice(0, 10),
      command: this.command(run),
    };
    const value = known[name];
    if (typeof value !== "string" && typeof value !== "number") {
      throw new MissingFigure(
        `run ${run.id} of ${suite} has no setting "${name}"; it has ${
          Object.keys(known).join(", ")
        }`,
      );
    }
    return { value, run };
  }

  /** The command that makes such a run again: the suite's task, if there is one, with what the run was given. */
  command(run: RunRecord): string {
    const command = this.#commands[run.suite];
    if (command === undefined) return run.command;
    const given = programArguments(run.command);
    const own = `${command.args} `;
    const args = `${given} `.startsWith(own) ? given.slice(own.length) : given;
    return `${command.task} ${args}`.trimEnd();
  }

  #samples(run: RunRecord, key: SampleKey): SampleValues {
    const samples = this.#reader.samples(run, key);
    if (samples === null) throw this.#missing(run, key, "sample");
    return samples;
  }

  #missing(run: RunRecord, { subject, workload, measure }: SampleKey, what: string): MissingFigure {
    const names = this.#reader.names(run);
    // The first part that nothing has tells most.
    const wrong = (["subject", "workload", "measure"] as const).find((part) =>
      !names.some((name) => name[part] === { subject, workload, measure }[part])
    );
    const have = wrong === undefined
      ? ""
      : `; its ${wrong}s are ${
        [...new Set(names.map((name) => name[wrong]))].slice(0, 20).join(" | ")
      }`;
    return new MissingFigure(
      `run ${run.id} of ${run.suite} has no ${what} "${subject} / ${workload} / ${measure}"${have}: ` +
        `mend the name, or ${this.#remedy(run.suite)}`,
      run.isQuick,
    );
  }

  #remedy(suite: string): string {
    const command = this.#commands[suite];
    return command === undefined
      ? `no task makes one, bench:${suite} is not in deno.json`
      : `run ${command.task}`;
  }
}

/** What stands behind the program in a command that runs one. */
export function programArguments(command: string): string {
  return command.match(/^.*?\.ts (.+)$/)?.[1] ?? "";
}

/** "2 cores of AMD EPYC, 24 GiB, linux 6.18". */
export function describeMachine({ cpu, cores, memoryBytes, kernel }: RunRecord): string {
  return `${cores} cores of ${cpu}, ${Math.round(memoryBytes / 2 ** 30)} GiB, ${kernel}`;
}

/** The commit, short, and whether more than it was measured. */
export function describeCommit({ commit, isDirty }: RunRecord): string {
  return commit.slice(0, 10) + (isDirty ? " with changes" : "");
}

function whyNot({ hasEnded, isQuick, isPartial }: RunRecord): string {
  if (!hasEnded) return "did not end";
  if (isPartial) return "had only a part of it";
  return isQuick ? "is quick" : "counts";
}
