/** A server that listens. */
export interface RunningServer {
  readonly port: number;
  /**
   * Stops accepting and waits for what is in flight.
   *
   * @returns False when the deadline passed first
   */
  shutdown(deadlineMs: number): Promise<boolean>;
}

/** Whether a promise settles before a deadline. */
export async function settlesWithin(
  promise: Promise<unknown>,
  deadlineMs: number,
): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout>;
  const deadline = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), deadlineMs);
  });
  const inTime = await Promise.race([promise.then(() => true, () => true), deadline]);
  clearTimeout(timer!);
  return inTime;
}
