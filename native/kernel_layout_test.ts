import { assertEquals } from "@std/assert";
import * as layout from "./kernel_layout.ts";

const PRELUDE = `
#include <stddef.h>
#include <stdio.h>
#include <errno.h>
#include <sys/types.h>
#include <sys/socket.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/inet_diag.h>
`;

/** The structures whose fields a table lists. */
const STRUCTURES: Record<string, string> = {
  PARAMS: "struct io_uring_params",
  SQ_OFFSETS: "struct io_sqring_offsets",
  CQ_OFFSETS: "struct io_cqring_offsets",
  SQE: "struct io_uring_sqe",
  CQE: "struct io_uring_cqe",
  BUFFER_REGISTRATION: "struct io_uring_buf_reg",
  FILES_REGISTRATION: "struct io_uring_rsrc_register",
  RING_UPDATE: "struct io_uring_rsrc_update",
  MESSAGE: "struct msghdr",
  IOVEC: "struct iovec",
  EPOLL_EVENT: "struct epoll_event",
  TIMESPEC: "struct __kernel_timespec",
};

/** Tables that describe more than one structure, entry by entry. */
const EXPRESSIONS: Record<string, Record<string, string>> = {
  BUFFER: {
    sizeof: "sizeof(struct io_uring_buf)",
    addr: "offsetof(struct io_uring_buf, addr)",
    len: "offsetof(struct io_uring_buf, len)",
    bid: "offsetof(struct io_uring_buf, bid)",
    tail: "offsetof(struct io_uring_buf_ring, tail)",
  },
  PROBE: {
    sizeof: "sizeof(struct io_uring_probe)",
    last_op: "offsetof(struct io_uring_probe, last_op)",
    op_sizeof: "sizeof(struct io_uring_probe_op)",
    op_flags: "offsetof(struct io_uring_probe_op, flags)",
  },
  SOCKET_DIAGNOSTICS: {
    header_sizeof: "sizeof(struct nlmsghdr)",
    nlmsg_len: "offsetof(struct nlmsghdr, nlmsg_len)",
    nlmsg_type: "offsetof(struct nlmsghdr, nlmsg_type)",
    nlmsg_flags: "offsetof(struct nlmsghdr, nlmsg_flags)",
    request_sizeof: "sizeof(struct inet_diag_req_v2)",
    sdiag_family: "offsetof(struct inet_diag_req_v2, sdiag_family)",
    sdiag_protocol: "offsetof(struct inet_diag_req_v2, sdiag_protocol)",
    idiag_states: "offsetof(struct inet_diag_req_v2, idiag_states)",
    idiag_sport: "offsetof(struct inet_diag_req_v2, id.idiag_sport)",
    idiag_dport: "offsetof(struct inet_diag_msg, id.idiag_dport)",
    idiag_dst: "offsetof(struct inet_diag_msg, id.idiag_dst)",
  },
  ADDRESS: {
    sizeof_in: "sizeof(struct sockaddr_in)",
    sizeof_in6: "sizeof(struct sockaddr_in6)",
    sin_port: "offsetof(struct sockaddr_in, sin_port)",
    sin_addr: "offsetof(struct sockaddr_in, sin_addr)",
    sin6_addr: "offsetof(struct sockaddr_in6, sin6_addr)",
  },
};

/** What every number of the tables is in C. */
function expressions(): { name: string; value: number; expression: string }[] {
  const all: { name: string; value: number; expression: string }[] = [];
  for (const [table, entries] of Object.entries(layout)) {
    if (table === "GET_SOCKET_OPTION") continue;
    for (const [entry, value] of Object.entries(entries as Record<string, number>)) {
      const structure = STRUCTURES[table];
      const expression = EXPRESSIONS[table]?.[entry] ??
        (structure === undefined
          ? entry
          : entry === "sizeof"
          ? `sizeof(${structure})`
          : `offsetof(${structure}, ${entry})`);
      all.push({ name: `${table}.${entry}`, value, expression });
    }
  }
  return all;
}

const [compiler, ...headers] = await Promise.all([
  isThere("cc"),
  compiles("#include <linux/io_uring.h>\nint main(void) { return 0; }"),
  compiles(
    "#include <linux/time_types.h>\n#include <liburing/io_uring.h>\nint main(void) { return 0; }",
  ),
]);

for (const [i, header] of ["linux/io_uring.h", "liburing/io_uring.h"].entries()) {
  const isMissing = !compiler || !headers[i];
  if (isMissing) console.warn(`A test is ignored: there is no ${compiler ? header : "cc"}`);
  Deno.test({
    name: `the layout of the kernel's structures is that of ${header}`,
    ignore: isMissing,
    async fn() {
      const all = expressions();
      const lines = all.map(({ expression }) => `printf("%lld\\n", (long long)(${expression}));`);
      const source =
        `#define _GNU_SOURCE\n#include <linux/time_types.h>\n#include <${header}>\n${PRELUDE}
        int main(void) { ${lines.join("\n")} return 0; }`;
      const values = (await runC(source)).trim().split("\n").map(Number);
      assertEquals(values.length, all.length);
      const wrong = all.flatMap(({ name, value }, n) =>
        value >>> 0 === values[n] >>> 0 ? [] : [`${name} is ${values[n]}, not ${value}`]
      );
      assertEquals(wrong, []);
      assertEquals(all.length > 100, true, "the tables were read at all");
    },
  });
}

async function isThere(program: string): Promise<boolean> {
  return await new Deno.Command(program, { args: ["--version"], stdout: "null" }).output()
    .then(({ success }) => success, () => false);
}

async function compiles(source: string): Promise<boolean> {
  return await runC(source).then(() => true, () => false);
}

async function runC(source: string): Promise<string> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/layout.c`, source);
    const run = async (program: string, args: string[]) => {
      const { success, stdout, stderr } = await new Deno.Command(program, { args }).output();
      if (!success) throw new Error(new TextDecoder().decode(stderr));
      return new TextDecoder().decode(stdout);
    };
    await run("cc", ["-o", `${folder}/layout`, `${folder}/layout.c`]);
    return await run(`${folder}/layout`, []);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
