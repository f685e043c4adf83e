/** What an edition is made of: numbers only, so that it can be told to another thread. */
export interface EditionDescriptor {
  version: number;
  /** Visible events. */
  size: number;
  /** All events, the hidden ones included. */
  events: number;
  /** Bytes of all fragments. */
  fragmentBytes: number;
  /** How far an end lies before its start at the most; 0 in a sane catalogue. */
  inversion: number;
  /** Compressed blocks of each size. */
  blockCounts: number[];
  /** Places of the table of events. */
  places: number;
  /** Memory by its id. */
  columns: number;
  table: number;
  blocks: number;
  /** The segments of the arena of records; 0 where there is none. */
  records: number[];
  /** The segments of the arena of compressed blocks; 0 where there is none. */
  compressed: number[];
}

/** The memory that an edition lies in, by id. */
export function memoriesOf(descriptor: EditionDescriptor): number[] {
  const { columns, table, blocks, records, compressed } = descriptor;
  return [columns, table, blocks, ...records, ...compressed].filter((id) => id !== 0);
}
