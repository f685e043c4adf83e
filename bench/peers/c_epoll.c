// The floor of epoll: a constant answer to every request, with as little as a correct HTTP/1.1 server on one thread
// does. Edge-triggered unless given --level. Prints its port.
// cc -O2 -o c_epoll c_epoll.c
#include "c_answer.h"

#include <errno.h>
#include <sys/epoll.h>

enum { EVENTS_MAX = 256 };

struct connection {
  int fd;
  bool registered;
  bool closing;
  /* Of answers that the socket did not take at once. */
  const char *unsent;
  size_t unsent_bytes;
  /* Where it stands among the free ones. */
  struct connection *next;
  struct input input;
};

static struct connection connections[CONNECTIONS_MAX];
static struct connection *free_connections;
static int epoll;
static uint32_t trigger = EPOLLET;

static void watch(struct connection *connection, uint32_t events) {
  struct epoll_event event = {.events = events | trigger, .data.ptr = connection};
  epoll_ctl(epoll, connection->registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, connection->fd, &event);
  connection->registered = true;
}

static void end(struct connection *connection) {
  close(connection->fd);
  connection->next = free_connections;
  free_connections = connection;
}

/* Sends what is unsent. Returns false when the connection ended or has to wait. */
static bool flush(struct connection *connection) {
  ssize_t sent = send(connection->fd, connection->unsent, connection->unsent_bytes, MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN) {
    end(connection);
    return false;
  }
  if (sent > 0) {
    connection->unsent += sent;
    connection->unsent_bytes -= (size_t)sent;
  }
  if (connection->unsent_bytes > 0) {
    watch(connection, EPOLLOUT);
    return false;
  }
  if (connection->closing) {
    end(connection);
    return false;
  }
  return true;
}

/* Reads and answers until there is nothing more, or until the end where that has come already: epoll has told of it and
   does not tell again. Returns false when the connection ended or waits to send. */
static bool serve(struct connection *connection, bool ended) {
  char data[INPUT_BYTES];
  for (;;) {
    ssize_t received = recv(connection->fd, data, sizeof data, 0);
    if (received < 0 && errno == EAGAIN) return true;
    unsigned count = 0;
    if (received <= 0 || !count_requests(&connection->input, data, (size_t)received, &count,
                                         &connection->closing)) {
      end(connection);
      return false;
    }
    if (count > 0) {
      connection->unsent = answers_start(count, connection->closing, &connection->unsent_bytes);
      if (!flush(connection)) return false;
    }
    /* Less than there was room for: it is empty, and epoll tells when it no longer is. */
    if (received < (ssize_t)sizeof data && !ended) return true;
  }
}

static void accept_all(int listener) {
  while (free_connections != NULL) {
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    struct connection *connection = free_connections;
    free_connections = connection->next;
    connection->fd = fd;
    connection->registered = connection->closing = false;
    connection->unsent_bytes = connection->input.length = 0;
    /* The request has often come with the connection; where it closes after that, epoll need not know of it. */
    if (serve(connection, false)) watch(connection, EPOLLIN | EPOLLRDHUP);
  }
}

int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "--level") == 0) trigger = 0;
  for (int i = CONNECTIONS_MAX - 1; i >= 0; i--) {
    connections[i].next = free_connections;
    free_connections = &connections[i];
  }
  epoll = epoll_create1(EPOLL_CLOEXEC);
  int listener = listen_and_tell(SOCK_NONBLOCK);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
  epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
  for (;;) {
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(epoll, events, EVENTS_MAX, -1);
    refresh_answers();
    bool accepting = false;
    for (int i = 0; i < count; i++) {
      struct connection *connection = events[i].data.ptr;
      if (connection == NULL) {
        accepting = true;
      } else if (connection->unsent_bytes == 0) {
        serve(connection, (events[i].events & EPOLLRDHUP) != 0);
      } else if (flush(connection)) {
        watch(connection, EPOLLIN | EPOLLRDHUP);
      }
    }
    /* Last, so that no connection of this round's events is another by now. */
    if (accepting) accept_all(listener);
  }
}
