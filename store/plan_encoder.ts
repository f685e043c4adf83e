import xxhash from "xxhash-wasm";
import { encodePlan, type Plan, planKey } from "../domain/mod.ts";
import { ENCODED_BYTES } from "./limits.ts";
import type { EncodedPlans } from "./port.ts";

const { h64 } = await xxhash();
const encoder = new TextEncoder();

/** Hashes a plan's line; equal plans have equal hashes. Never stored: it may be another in the next version. */
export function hashLine(line: string): bigint {
  return h64(line);
}

/**
 * Encodes plans in another thread than the store's: turning a plan into its line and hashing it is most of what the
 * store does with a plan that has not changed.
 *
 * @example
 * ```ts
 * import { PlanEncoder } from "./plan_encoder.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const encoder = new PlanEncoder();
 * encoder.add({ basePlanId: "1", planId: "2", title: "Tosca", sellMode: "online", organizerCompanyId: null,
 *   start: 0, end: 60, sellFrom: null, sellTo: null, soldOut: false, zones: [] });
 * assertEquals(encoder.take().keys, ["1:2"]);
 * ```
 */
export class PlanEncoder {
  #keys: string[] = [];
  #hashes: bigint[] = [];
  #ends: number[] = [];
  #lines = new Uint8Array(ENCODED_BYTES);
  #used = 0;

  /** Whether it is time to take what there is: enough that handing it over costs little, not so much that it takes long. */
  get isFull(): boolean {
    return this.#used >= ENCODED_BYTES / 2;
  }

  /** Adds a plan. */
  add(plan: Plan): void {
    const line = encodePlan(plan);
    const bytesMax = this.#used + line.length * 3;
    if (bytesMax > this.#lines.length) {
      const lines = new Uint8Array(Math.max(bytesMax, this.#lines.length * 2));
      lines.set(this.#lines.subarray(0, this.#used));
      this.#lines = lines;
    }
    this.#used += encoder.encodeInto(line, this.#lines.subarray(this.#used)).written;
    this.#keys.push(planKey(plan));
    this.#hashes.push(hashLine(line));
    this.#ends.push(this.#used);
  }

  /** What was added since the last call, for the caller to keep or to transfer. */
  take(): EncodedPlans {
    const taken = {
      keys: this.#keys,
      hashes: BigUint64Array.from(this.#hashes),
      lines: this.#lines.subarray(0, this.#used),
      ends: Uint32Array.from(this.#ends),
    };
    this.#keys = [];
    this.#hashes = [];
    this.#ends = [];
    this.#lines = new Uint8Array(ENCODED_BYTES);
    this.#used = 0;
    return taken;
  }
}
