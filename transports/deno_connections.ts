/** Milliseconds between two looks at who is still connected, each of which takes a few. */
const LOOK_MS = 100;
/** Milliseconds from a refusal to the end of its connection, so that it is read; those of that time end together. */
const REFUSED_MS = 50;

/** What the kernel knows of the connections of a server. */
export interface ConnectionTable {
  /** Who is connected, as `hostname:port`. */
  peers(): Set<string>;
  /** Ends the connections of some. */
  shutDown(peers: ReadonlySet<string>): void;
}

/**
 * The connections of a Deno.serve, which does not tell of them: those that asked for something are known by their
 * address and port, and whether they are still there the kernel tells. Where it does not (no FFI, no Linux), requests in
 * flight are counted in their place. Deno.serve does not heed a `connection: close` of its answers either: a connection
 * that was refused is shut down beneath it.
 */
export class DenoConnections {
  /** How many are let in. */
  limit: number;
  /** Connections that were refused. */
  rejections = 0;
  readonly #table: ConnectionTable | null;
  /** Who is let in: at most as many as the limit was when they came. */
  #admitted = new Set<string>();
  #inFlight = 0;
  /** Who was refused, and is to be gone soon. */
  #refused = new Set<string>();
  #active = 0;
  #lookedAt = -Infinity;

  /**
   * @param limit Connections that are let in; `Infinity` for all
   * @param table What the kernel knows; `null` where it does not tell
   */
  constructor(limit: number, table: ConnectionTable | null) {
    this.limit = limit;
    this.#table = table;
  }

  /**
   * Whether a request may be answered.
   *
   * @param completed Resolves when the answer was sent
   */
  admits(remoteAddr: Deno.Addr, completed: Promise<void> = Promise.resolve()): boolean {
    if (this.limit === Infinity) return true;
    const isAdmitted = this.#table === null
      ? this.#admitsRequest(completed)
      : this.#admitsPeer(nameOf(remoteAddr));
    if (isAdmitted) return true;
    this.rejections++;
    const refuse = () => this.#shutDown(nameOf(remoteAddr));
    completed.then(refuse, refuse);
    return false;
  }

  /** Connections that are open, or requests in flight where connections cannot be told; as of the last look. */
  get active(): number {
    if (this.#table === null) return this.#inFlight;
    this.#look();
    // Those that are refused are open a moment longer.
    return this.limit === Infinity ? this.#active : this.#admitted.size;
  }

  #admitsRequest(completed: Promise<void>): boolean {
    if (this.#inFlight >= this.limit) return false;
    this.#inFlight++;
    const left = () => void this.#inFlight--;
    completed.then(left, left);
    return true;
  }

  #admitsPeer(peer: string): boolean {
    if (this.#admitted.has(peer)) return true;
    if (this.#admitted.size >= this.limit) this.#look();
    if (this.#admitted.size >= this.limit) return false;
    this.#admitted.add(peer);
    return true;
  }

  #shutDown(peer: string): void {
    if (this.#table === null) return;
    this.#refused.add(peer);
    if (this.#refused.size > 1) return;
    setTimeout(() => {
      const refused = this.#refused;
      this.#refused = new Set();
      this.#table!.shutDown(refused);
    }, REFUSED_MS);
  }

  /** Forgets who is not connected any more. */
  #look(): void {
    const now = performance.now();
    if (now - this.#lookedAt < LOOK_MS) return;
    let peers: Set<string>;
    try {
      peers = this.#table!.peers();
    } catch {
      // Out of descriptors, for one: who was known is still there.
      return;
    } finally {
      this.#lookedAt = performance.now();
    }
    this.#active = peers.size;
    this.#admitted = this.#admitted.intersection(peers);
  }
}

function nameOf(address: Deno.Addr): string {
  return "hostname" in address ? `${address.hostname}:${address.port}` : "";
}
