// What c_uring.c and c_epoll.c have in common: the answer, of which many stand one behind the other so that pipelined
// requests are answered by one send, and the search for the ends of requests.
#ifndef C_ANSWER_H
#define C_ANSWER_H

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
  BODY_BYTES = 700,
  /* A shortest request is 18 bytes, "GET / HTTP/1.1" and two line ends: so many of them fit what is read at a time. */
  ANSWERS_MAX = 256,
  INPUT_BYTES = 4096,
  HEAD_BYTES_MAX = 4096,
  CONNECTIONS_MAX = 4096,
};

/* ANSWERS_MAX answers, and behind them one that says Connection: close. Two of these are filled in turns, one a second,
   since a send may still be reading the other. */
struct answers {
  size_t answer_bytes;
  size_t bytes;
  char data[ANSWERS_MAX * 1024 + 1024];
};

static struct answers answers_both[2];
static struct answers *answers = answers_both;
static time_t answers_second;

static size_t write_answer(char *to, const char *date, const char *connection) {
  int head = sprintf(to,
                     "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
                     "Date: %s\r\n%s\r\n",
                     BODY_BYTES, date, connection);
  memset(to + head, 'x', BODY_BYTES);
  return (size_t)head + BODY_BYTES;
}

/* To be called before anything is answered, each time round. */
static inline void refresh_answers(void) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME_COARSE, &now);
  if (now.tv_sec == answers_second) return;
  answers_second = now.tv_sec;
  answers = answers == &answers_both[0] ? &answers_both[1] : &answers_both[0];
  char date[64];
  struct tm utc;
  strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now.tv_sec, &utc));
  char *to = answers->data;
  for (int i = 0; i < ANSWERS_MAX; i++) to += answers->answer_bytes = write_answer(to, date, "");
  to += write_answer(to, date, "Connection: close\r\n");
  answers->bytes = (size_t)(to - answers->data);
}

/* Where so many answers begin, ANSWERS_MAX at most; with `close` the last of them says so. */
static inline const char *answers_start(unsigned count, bool close, size_t *bytes) {
  if (!close) {
    *bytes = count * answers->answer_bytes;
    return answers->data;
  }
  size_t skipped = (ANSWERS_MAX + 1 - count) * answers->answer_bytes;
  *bytes = answers->bytes - skipped;
  return answers->data + skipped;
}

/* The beginning of a request that has not come whole. */
struct input {
  size_t length;
  char data[HEAD_BYTES_MAX + INPUT_BYTES];
};

/* Whether a head has the field Connection: close. */
static inline bool says_close(const char *head, const char *end) {
  for (const char *line = memchr(head, '\n', (size_t)(end - head)); line != NULL;
       line = memchr(line, '\n', (size_t)(end - line))) {
    line++;
    if ((*line | 0x20) == 'c' && end - line >= 17 && strncasecmp(line, "connection: close", 17) == 0)
      return true;
  }
  return false;
}

/* Counts the requests that end in what was received, the one with Connection: close being the last, and keeps the
   beginning of the next. Returns false when that is longer than a head may be. */
static inline bool count_requests(struct input *input, const char *data, size_t length,
                                  unsigned *count, bool *close) {
  if (input->length > 0) {
    memcpy(input->data + input->length, data, length);
    length += input->length;
    data = input->data;
  }
  const char *end = data + length;
  while (data < end) {
    const char *head_end = memmem(data, (size_t)(end - data), "\r\n\r\n", 4);
    if (head_end == NULL) break;
    ++*count;
    *close = says_close(data, head_end + 2);
    if (*close) {
      input->length = 0;
      return true;
    }
    data = head_end + 4;
  }
  input->length = (size_t)(end - data);
  if (input->length > HEAD_BYTES_MAX) return false;
  if (input->length > 0) memmove(input->data, data, input->length);
  return true;
}

/* Listens on a free port of 127.0.0.1 and prints it. */
static int listen_and_tell(int flags) {
  signal(SIGPIPE, SIG_IGN);
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
  int on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  if (bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, 4096) != 0 ||
      getsockname(listener, (struct sockaddr *)&address, &size) != 0) {
    perror("listen");
    exit(1);
  }
  printf("{\"port\":%d}\n", ntohs(address.sin_port));
  fflush(stdout);
  return listener;
}

#endif
