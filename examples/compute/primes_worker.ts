/**
 * What the threads of the pool run.
 *
 * @module
 */
import { serveTasks } from "../../workers/mod.ts";

serveTasks((limit: number) => {
  // By trial division: the point is that it takes its time.
  const primes: number[] = [];
  for (let candidate = 2; candidate <= limit; candidate++) {
    let i = 0;
    while (i < primes.length && primes[i] ** 2 <= candidate && candidate % primes[i] !== 0) i++;
    if (i === primes.length || primes[i] ** 2 > candidate) primes.push(candidate);
  }
  return primes.length;
});
