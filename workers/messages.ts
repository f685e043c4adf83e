/** What a pool tells a thread. */
export type ToThread =
  | { kind: "run"; id: number; task: unknown }
  /** A batch of the task was taken: there is room for one more. */
  | { kind: "taken"; id: number };

/** What a thread tells its pool. */
export type FromThread =
  | { kind: "ready" }
  | { kind: "batch"; id: number; batch: unknown }
  | { kind: "done"; id: number; result: unknown }
  | { kind: "failed"; id: number; error: { name: string; message: string; stack?: string } };
