/**
 * The kernel's interface as numbers: system calls, flags, and where the fields of its structures lie. Names are those of
 * the C headers; `kernel_layout_test.ts` compares every one of them with the headers where a compiler is there.
 * All offsets are in bytes.
 *
 * @module
 */

/** Values of `linux/io_uring.h`. */
export const IO_URING = {
  IORING_SETUP_CQSIZE: 1 << 3,
  IORING_SETUP_CLAMP: 1 << 4,
  IORING_SETUP_SUBMIT_ALL: 1 << 7,
  IORING_SETUP_TASKRUN_FLAG: 1 << 9,
  IORING_SETUP_SINGLE_ISSUER: 1 << 12,
  IORING_SETUP_DEFER_TASKRUN: 1 << 13,
  IORING_FEAT_SINGLE_MMAP: 1 << 0,
  IORING_FEAT_NODROP: 1 << 1,
  IORING_FEAT_SUBMIT_STABLE: 1 << 2,
  IORING_OFF_SQ_RING: 0,
  IORING_OFF_SQES: 0x1000_0000,
  IORING_SQ_TASKRUN: 1 << 2,
  IORING_ENTER_GETEVENTS: 1 << 0,
  IORING_ENTER_REGISTERED_RING: 1 << 4,
  IORING_REGISTER_PROBE: 8,
  IORING_REGISTER_FILES2: 13,
  IORING_REGISTER_RING_FDS: 20,
  IORING_REGISTER_PBUF_RING: 22,
  IORING_RSRC_REGISTER_SPARSE: 1 << 0,
  IORING_OP_POLL_ADD: 6,
  IORING_OP_SENDMSG: 9,
  IORING_OP_TIMEOUT: 11,
  IORING_OP_ACCEPT: 13,
  IORING_OP_ASYNC_CANCEL: 14,
  IORING_OP_CONNECT: 16,
  IORING_OP_CLOSE: 19,
  IORING_OP_READ: 22,
  IORING_OP_SEND: 26,
  IORING_OP_RECV: 27,
  IORING_OP_SHUTDOWN: 34,
  IORING_ACCEPT_MULTISHOT: 1 << 0,
  IORING_RECV_MULTISHOT: 1 << 1,
  IORING_RECVSEND_POLL_FIRST: 1 << 0,
  IORING_TIMEOUT_ABS: 1 << 0,
  IORING_CQE_F_BUFFER: 1 << 0,
  IORING_CQE_F_MORE: 1 << 1,
  IORING_CQE_BUFFER_SHIFT: 16,
  IOSQE_FIXED_FILE: 1 << 0,
  IOSQE_BUFFER_SELECT: 1 << 5,
  IOSQE_CQE_SKIP_SUCCESS: 1 << 6,
  IORING_FILE_INDEX_ALLOC: 0xffff_ffff,
  IO_URING_OP_SUPPORTED: 1 << 0,
} as const;

/**
 * `SOCKET_URING_OP_GETSOCKOPT` of `linux/io_uring.h` and what its entry looks like. Linux 6.7 brought it: headers of
 * distributions may be older, so the test leaves it out.
 */
export const GET_SOCKET_OPTION = { IORING_OP_URING_CMD: 46, cmd_op: 2 } as const;

/** System call numbers, the same on every architecture that Deno runs on. */
export const SYSTEM_CALL = {
  SYS_io_uring_setup: 425,
  SYS_io_uring_enter: 426,
  SYS_io_uring_register: 427,
} as const;

/** Values of the socket interface, `sys/socket.h` and its neighbours. */
export const SOCKET = {
  AF_INET: 2,
  AF_INET6: 10,
  SOCK_STREAM: 1,
  SOCK_NONBLOCK: 0o4000,
  SOCK_CLOEXEC: 0o2000000,
  SOL_SOCKET: 1,
  SO_REUSEADDR: 2,
  SO_REUSEPORT: 15,
  IPPROTO_TCP: 6,
  TCP_NODELAY: 1,
  MSG_NOSIGNAL: 0x4000,
  MSG_DONTWAIT: 0x40,
  SO_PEERNAME: 28,
  SHUT_WR: 1,
  SHUT_RDWR: 2,
} as const;

/** Values of `sys/epoll.h`, `sys/eventfd.h` and `sys/mman.h`. */
export const EVENTS = {
  EPOLLIN: 1,
  EPOLLOUT: 4,
  EPOLLERR: 8,
  EPOLLHUP: 0x10,
  EPOLLRDHUP: 0x2000,
  EPOLLET: 0x8000_0000,
  EPOLL_CTL_ADD: 1,
  EPOLL_CLOEXEC: 0o2000000,
  EFD_CLOEXEC: 0o2000000,
  EFD_NONBLOCK: 0o4000,
  PROT_READ: 1,
  PROT_WRITE: 2,
  MAP_SHARED: 1,
  MAP_POPULATE: 0x8000,
  MADV_DONTNEED: 4,
} as const;

/** Values of `errno.h`. */
export const ERRNO = {
  EBADF: 9,
  EPERM: 1,
  EINTR: 4,
  EAGAIN: 11,
  EBUSY: 16,
  EINVAL: 22,
  EMFILE: 24,
  ENFILE: 23,
  ENOSYS: 38,
  EPROTO: 71,
  EPIPE: 32,
  EADDRNOTAVAIL: 99,
  ECONNABORTED: 103,
  ECONNRESET: 104,
  ENOBUFS: 105,
  ETIMEDOUT: 110,
  ECONNREFUSED: 111,
  ECANCELED: 125,
} as const;

/** `struct io_uring_params` */
export const PARAMS = {
  sizeof: 120,
  sq_entries: 0,
  cq_entries: 4,
  flags: 8,
  features: 20,
  sq_off: 40,
  cq_off: 80,
} as const;

/** `struct io_sqring_offsets` */
export const SQ_OFFSETS = {
  head: 0,
  tail: 4,
  ring_entries: 12,
  flags: 16,
  array: 24,
} as const;

/** `struct io_cqring_offsets` */
export const CQ_OFFSETS = {
  head: 0,
  tail: 4,
  ring_entries: 12,
  cqes: 20,
} as const;

/** `struct io_uring_sqe` */
export const SQE = {
  sizeof: 64,
  opcode: 0,
  flags: 1,
  ioprio: 2,
  fd: 4,
  off: 8,
  addr: 16,
  len: 24,
  msg_flags: 28,
  user_data: 32,
  buf_group: 40,
  file_index: 44,
  addr3: 48,
} as const;

/** `struct io_uring_cqe` */
export const CQE = { sizeof: 16, user_data: 0, res: 8, flags: 12 } as const;

/** `struct io_uring_buf`, and the tail of the ring in the first of them (`struct io_uring_buf_ring`). */
export const BUFFER = { sizeof: 16, addr: 0, len: 8, bid: 12, tail: 14 } as const;

/** `struct io_uring_buf_reg` */
export const BUFFER_REGISTRATION = { sizeof: 40, ring_addr: 0, ring_entries: 8, bgid: 12 } as const;

/** `struct io_uring_rsrc_register` */
export const FILES_REGISTRATION = { sizeof: 32, nr: 0, flags: 4 } as const;

/** `struct io_uring_rsrc_update` */
export const RING_UPDATE = { sizeof: 16, offset: 0, data: 8 } as const;

/** `struct io_uring_probe` with one `struct io_uring_probe_op` per operation behind it. */
export const PROBE = { sizeof: 16, last_op: 0, op_sizeof: 8, op_flags: 2 } as const;

/** `struct msghdr` */
export const MESSAGE = { sizeof: 56, msg_iov: 16, msg_iovlen: 24 } as const;

/** `struct iovec` */
export const IOVEC = { sizeof: 16, iov_base: 0, iov_len: 8 } as const;

/** `struct sockaddr_in` and `struct sockaddr_in6` */
export const ADDRESS = {
  sizeof_in: 16,
  sizeof_in6: 28,
  sin_port: 2,
  sin_addr: 4,
  sin6_addr: 8,
} as const;

/** `struct epoll_event`: packed on x86-64 only. */
export const EPOLL_EVENT = Deno.build.arch === "x86_64"
  ? { sizeof: 12, events: 0, data: 4 } as const
  : { sizeof: 16, events: 0, data: 8 } as const;

/** `struct __kernel_timespec` */
export const TIMESPEC = { sizeof: 16, tv_sec: 0, tv_nsec: 8 } as const;

/** Netlink and sock_diag: `struct nlmsghdr`, and, from its own beginning, `struct inet_diag_req_v2` or `inet_diag_msg`. */
export const SOCKET_DIAGNOSTICS = {
  AF_NETLINK: 16,
  NETLINK_SOCK_DIAG: 4,
  SOCK_DIAG_BY_FAMILY: 20,
  SOCK_RAW: 3,
  NLM_F_REQUEST: 1,
  NLM_F_DUMP: 0x300,
  NLMSG_ERROR: 2,
  NLMSG_DONE: 3,
  TCP_ESTABLISHED: 1,
  TCP_CLOSE_WAIT: 8,
  header_sizeof: 16,
  nlmsg_len: 0,
  nlmsg_type: 4,
  nlmsg_flags: 6,
  request_sizeof: 56,
  sdiag_family: 0,
  sdiag_protocol: 1,
  idiag_states: 4,
  idiag_sport: 8,
  idiag_dport: 6,
  idiag_dst: 24,
} as const;
