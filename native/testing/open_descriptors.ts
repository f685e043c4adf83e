/**
 * What a process holds of the system: its descriptors and its memory. Deno keeps /proc to itself; `ls` and `cat` do not.
 *
 * @module
 */

/**
 * The open descriptors of a process by what they are: `socket`, `pipe`, `anon_inode:[eventpoll]`, a path. Those that the
 * look itself needs count as well, the same at every look but the first of a process.
 *
 * @param processId Some process; this one if left out
 * @throws {Error} If there is no such process
 */
export async function openDescriptors(processId = Deno.pid): Promise<Map<string, number>> {
  const listing = await output("ls", "-l", `/proc/${processId}/fd`);
  const kinds = new Map<string, number>();
  for (const [, target] of listing.matchAll(/ -> (.*)$/gm)) {
    // Of the program that looks, some runs of Deno hold one at the first look and some at the second.
    if (target === "anon_inode:[pidfd]") continue;
    const kind = target.replace(/^(socket|pipe):.*$/, "$1");
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  return kinds;
}

/** Kinds of which there are more than before, with how many more. */
export function descriptorsAdded(
  before: ReadonlyMap<string, number>,
  now: ReadonlyMap<string, number>,
): Map<string, number> {
  const added = new Map<string, number>();
  for (const [kind, count] of now) {
    const more = count - (before.get(kind) ?? 0);
    if (more > 0) added.set(kind, more);
  }
  return added;
}

/**
 * Bytes of a process that are resident.
 *
 * @throws {Error} If there is no such process
 */
export async function residentBytes(processId = Deno.pid): Promise<number> {
  const status = await output("cat", `/proc/${processId}/status`);
  const kilobytes = status.match(/VmRSS:\s+(\d+) kB/)?.[1];
  if (kilobytes === undefined) throw new Error(`process ${processId} has no memory`);
  return Number(kilobytes) * 1_024;
}

async function output(command: string, ...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command, { args }).output();
  const decoder = new TextDecoder();
  // A descriptor that is closed during the look makes ls fail, which still lists the others.
  if (!success && stdout.length === 0) throw new Error(decoder.decode(stderr));
  return decoder.decode(stdout);
}
