/**
 * How late timers of the main thread run, measured within a program that is started with `--preload` of this module:
 * tells and begins anew for every line on its standard input.
 *
 * @module
 */
const STEP_MS = 2;
/** An hour of samples; then it begins anew. */
const SAMPLES_MAX = 1_800_000;

let delays: number[] = [];
let due = performance.now() + STEP_MS;

const timer = setInterval(() => {
  const now = performance.now();
  if (delays.length === SAMPLES_MAX) delays = [];
  delays.push(Math.max(0, now - due));
  due = now + STEP_MS;
}, STEP_MS);
Deno.unrefTimer(timer as unknown as number);

// Later: the program itself would only begin when its preloaded modules wait for nothing more.
Deno.unrefTimer(setTimeout(tell) as unknown as number);

async function tell(): Promise<void> {
  for await (const _ of Deno.stdin.readable) {
    const sorted = delays.toSorted((a, b) => a - b);
    delays = [];
    const at = (share: number) => (sorted[Math.floor((sorted.length - 1) * share)] ?? 0).toFixed(1);
    console.log(`loop delays: p50 ${at(0.5)} p99 ${at(0.99)} longest ${at(1)} ms`);
  }
}
