import { PoolClosedError, PoolFullError, TaskTimeoutError } from "../../workers/mod.ts";
import type { PrimesPool } from "./primes_pool.ts";
import {
  ApiError,
  dataReply,
  invalidParameter,
  overloaded,
  parseObject,
  type Reply,
} from "./reply.ts";

/** Half a second of work or so. */
const LIMIT_MAX = 5_000_000;

/**
 * Answers POST /api/v1/compute/intensive: `{"limit": 1000000}` is counted primes up to, in a thread of the pool.
 *
 * @param signal Gives the task up: its client has left
 * @throws {ApiError} If the limit is none, or the pool does not do it
 */
export async function intensiveReply(
  pool: PrimesPool,
  body: string,
  signal: AbortSignal,
): Promise<Reply> {
  const { limit } = parseObject(body);
  if (!Number.isInteger(limit) || (limit as number) < 1 || (limit as number) > LIMIT_MAX) {
    throw invalidParameter("limit", `give a whole number from 1 to ${LIMIT_MAX}`);
  }
  try {
    return dataReply({ limit, primes: await pool.count(limit as number, signal) });
  } catch (error) {
    if (error instanceof PoolFullError || error instanceof PoolClosedError) throw overloaded();
    if (!(error instanceof TaskTimeoutError)) throw error;
    throw new ApiError(503, "request_timeout", error.message, { "retry-after": "1" });
  }
}
