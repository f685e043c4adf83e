/**
 * Fuzzes the listener for as long as one likes, half of the time on each transport that works here; the seed is printed,
 * and `--seed` with `--client` begins where a failure was.
 * `deno run -A native/fuzz.ts [--seconds 60] [--seed N] [--client N] [--transport uring|epoll]`
 *
 * @module
 */
import { fuzz, type FuzzReport } from "./testing/fuzzer.ts";
import { NATIVE_TRANSPORTS, openTestedListener } from "./testing/tested_listener.ts";

const SECONDS = 60;
/** Seconds after which everything must have been given back, and another seed is taken. */
const ROUND_SECONDS = 20;

if (import.meta.main) await main();

async function main(): Promise<void> {
  const seconds = option("seconds", SECONDS);
  const seed = option("seed", crypto.getRandomValues(new Uint32Array(1))[0]);
  const firstClient = option("client", 0);
  const only = Deno.args[Deno.args.indexOf("--transport") + 1];
  const transports = NATIVE_TRANSPORTS.filter(({ transport, problem }) =>
    problem === null && (!Deno.args.includes("--transport") || transport === only)
  );
  if (transports.length === 0) throw new Error("no transport works here");
  console.log(`seed ${seed}, ${seconds} s`);
  const rounds = Math.max(1, Math.round(seconds / ROUND_SECONDS / transports.length));
  const roundSeconds = seconds / rounds / transports.length;
  for (const { transport } of transports) {
    await using tested = await openTestedListener({ transport, bodyBytesMax: 1_000_000 });
    for (let round = 0; round < rounds; round++) {
      const options = { port: tested.port, seed: seed + round, seconds: roundSeconds, firstClient };
      const report = await fuzz(options);
      await tested.quiet();
      console.log(`${transport}, seed ${seed + round}: ${described(report)}`);
    }
  }
}

function option(name: string, otherwise: number): number {
  const at = Deno.args.indexOf(`--${name}`);
  if (at < 0) return otherwise;
  const value = Number(Deno.args[at + 1]);
  if (!(value >= 0)) throw new Error(`--${name} takes a number`);
  return value;
}

function described({ clients, validAnswers, brokenAnswers, vanished }: FuzzReport): string {
  const broken = [...brokenAnswers].sort(([a], [b]) => a - b)
    .map(([status, count]) => `${count} x ${status}`).join(", ");
  return `${clients} clients, ${validAnswers} valid answers, ${vanished} clients vanished; broken: ${broken}`;
}
