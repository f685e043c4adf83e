// The floor of io_uring: a constant answer to every request, with as little as a correct HTTP/1.1 server on one thread
// does. Multishot accept into direct descriptors, multishot recv with a ring of buffers, one send at a time a
// connection, task work when it waits. Prints its port. Needs Linux 6.1 and liburing 2.3.
// cc -O2 -o c_uring c_uring.c -luring
#include "c_answer.h"

#include <errno.h>
#include <liburing.h>
#include <stddef.h>
#include <sys/mman.h>

enum {
  SUBMISSIONS = 1024,
  COMPLETIONS = 8192,
  BUFFERS = 1024,
  BUFFER_GROUP = 0,
};

/* What a completion is of; the connection is in the higher bits. */
enum operation { ACCEPT, RECV, SEND, CANCEL, CLOSE };

struct connection {
  /* Operations that are under way. At none it is closed. */
  unsigned operations;
  bool receiving;
  bool sending;
  /* No more is read: its last request has come, or something went wrong. */
  bool closing;
  bool cancelled;
  /* Requests that came while it was sending. */
  unsigned unanswered;
  size_t send_bytes;
  struct input input;
};

static struct io_uring ring;
static struct io_uring_buf_ring *buffer_ring;
static char buffers[BUFFERS][INPUT_BYTES];
static struct connection connections[CONNECTIONS_MAX];

static void fail(const char *what, int error) {
  fprintf(stderr, "%s: %s\n", what, strerror(-error));
  exit(1);
}

static struct io_uring_sqe *submission(void) {
  struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
  while (sqe == NULL) {
    io_uring_submit(&ring);
    sqe = io_uring_get_sqe(&ring);
  }
  return sqe;
}

static uint64_t data_of(enum operation operation, unsigned slot) {
  return (uint64_t)slot << 8 | operation;
}

/* Says what a submission is of, once it is prepared. */
static void mark(struct io_uring_sqe *sqe, enum operation operation, unsigned slot) {
  io_uring_sqe_set_data64(sqe, data_of(operation, slot));
  if (operation == RECV || operation == SEND) io_uring_sqe_set_flags(sqe, IOSQE_FIXED_FILE);
  if (operation != ACCEPT && operation != CLOSE) connections[slot].operations++;
}

static void start_accept(int listener) {
  struct io_uring_sqe *sqe = submission();
  io_uring_prep_multishot_accept_direct(sqe, listener, NULL, NULL, 0);
  mark(sqe, ACCEPT, 0);
}

static void start_recv(unsigned slot) {
  struct io_uring_sqe *sqe = submission();
  io_uring_prep_recv_multishot(sqe, (int)slot, NULL, 0, 0);
  mark(sqe, RECV, slot);
  sqe->flags |= IOSQE_BUFFER_SELECT;
  sqe->buf_group = BUFFER_GROUP;
  connections[slot].receiving = true;
}

/* Ends recv, which holds the socket. Shutdown would do so as well, but the kernel gives that to a worker thread. */
static void start_cancel(unsigned slot) {
  struct io_uring_sqe *sqe = submission();
  io_uring_prep_cancel64(sqe, data_of(RECV, slot), 0);
  mark(sqe, CANCEL, slot);
  connections[slot].cancelled = true;
}

/* Goes on with what a connection has to do, or closes it. */
static void proceed(unsigned slot) {
  struct connection *connection = &connections[slot];
  if (!connection->sending && connection->unanswered > 0) {
    unsigned count = connection->unanswered < ANSWERS_MAX ? connection->unanswered : ANSWERS_MAX;
    connection->unanswered -= count;
    bool last = connection->closing && connection->unanswered == 0;
    const char *start = answers_start(count, last, &connection->send_bytes);
    struct io_uring_sqe *sqe = submission();
    io_uring_prep_send(sqe, (int)slot, start, connection->send_bytes, MSG_NOSIGNAL | MSG_WAITALL);
    mark(sqe, SEND, slot);
    connection->sending = true;
  }
  if (connection->closing && connection->receiving && !connection->cancelled) start_cancel(slot);
  if (connection->operations == 0) {
    struct io_uring_sqe *sqe = submission();
    io_uring_prep_close_direct(sqe, slot);
    mark(sqe, CLOSE, slot);
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
  }
}

static void accepted(int listener, const struct io_uring_cqe *cqe) {
  if (!(cqe->flags & IORING_CQE_F_MORE)) start_accept(listener);
  if (cqe->res < 0) return;
  struct connection *connection = &connections[cqe->res];
  memset(connection, 0, offsetof(struct connection, input) + sizeof connection->input.length);
  start_recv((unsigned)cqe->res);
}

static void received(unsigned slot, const struct io_uring_cqe *cqe) {
  struct connection *connection = &connections[slot];
  if (cqe->res > 0) {
    unsigned index = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
    if (!connection->closing &&
        !count_requests(&connection->input, buffers[index], (size_t)cqe->res,
                        &connection->unanswered, &connection->closing)) {
      connection->closing = true;
    }
    io_uring_buf_ring_add(buffer_ring, buffers[index], INPUT_BYTES, (unsigned short)index,
                          io_uring_buf_ring_mask(BUFFERS), 0);
    io_uring_buf_ring_advance(buffer_ring, 1);
  }
  if (!(cqe->flags & IORING_CQE_F_MORE)) {
    connection->operations--;
    connection->receiving = false;
    if (cqe->res > 0 || cqe->res == -ENOBUFS) {
      if (!connection->closing) start_recv(slot);
    } else {
      connection->closing = true;
    }
  }
  proceed(slot);
}

static void sent(unsigned slot, const struct io_uring_cqe *cqe) {
  struct connection *connection = &connections[slot];
  connection->operations--;
  connection->sending = false;
  if (cqe->res != (int)connection->send_bytes) {
    connection->closing = true;
    connection->unanswered = 0;
  }
  if (connection->unanswered > 0 || connection->closing) proceed(slot);
}

int main(void) {
  struct io_uring_params parameters = {
      .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE,
      .cq_entries = COMPLETIONS,
  };
  int error = io_uring_queue_init_params(SUBMISSIONS, &ring, &parameters);
  if (error < 0) fail("io_uring_queue_init_params", error);
  io_uring_register_ring_fd(&ring);
  error = io_uring_register_files_sparse(&ring, CONNECTIONS_MAX);
  if (error < 0) fail("io_uring_register_files_sparse", error);

  buffer_ring = mmap(NULL, BUFFERS * sizeof(struct io_uring_buf), PROT_READ | PROT_WRITE,
                     MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
  struct io_uring_buf_reg registration = {
      .ring_addr = (uint64_t)(uintptr_t)buffer_ring,
      .ring_entries = BUFFERS,
      .bgid = BUFFER_GROUP,
  };
  error = io_uring_register_buf_ring(&ring, &registration, 0);
  if (error < 0) fail("io_uring_register_buf_ring", error);
  io_uring_buf_ring_init(buffer_ring);
  for (int i = 0; i < BUFFERS; i++) {
    io_uring_buf_ring_add(buffer_ring, buffers[i], INPUT_BYTES, (unsigned short)i,
                          io_uring_buf_ring_mask(BUFFERS), i);
  }
  io_uring_buf_ring_advance(buffer_ring, BUFFERS);

  int listener = listen_and_tell(0);
  start_accept(listener);
  for (;;) {
    error = io_uring_submit_and_wait(&ring, 1);
    if (error < 0 && error != -EINTR && error != -EBUSY) fail("io_uring_submit_and_wait", error);
    refresh_answers();
    unsigned head, count = 0;
    struct io_uring_cqe *cqe;
    io_uring_for_each_cqe(&ring, head, cqe) {
      count++;
      uint64_t data = io_uring_cqe_get_data64(cqe);
      unsigned slot = (unsigned)(data >> 8);
      switch ((enum operation)(data & 0xff)) {
        case ACCEPT:
          accepted(listener, cqe);
          break;
        case RECV:
          received(slot, cqe);
          break;
        case SEND:
          sent(slot, cqe);
          break;
        case CANCEL:
          connections[slot].operations--;
          proceed(slot);
          break;
        case CLOSE:
          break;
      }
    }
    io_uring_cq_advance(&ring, count);
  }
}
