/**
 * A load generator for HTTP/1.1: {@linkcode runLoad} asks a server from as many connections as it is told, as fast as
 * answers come or at a fixed rate, and reports rates, latencies, statuses and errors, in all and second by second. It
 * works on an io_uring of its own, in a thread of its own, and on fetch where there is none. `deno task load` is its
 * command.
 *
 * @module
 */
export {
  type BodyOracle,
  type ExpectedAnswers,
  type LoadOptions,
  LoadOptionsError,
} from "./options.ts";
export * from "./report.ts";
export { runLoad, type RunningLoad, startLoad, uringProblem } from "./run.ts";
