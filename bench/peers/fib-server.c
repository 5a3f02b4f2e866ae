/*
 * Fibonacci numbers over TCP lines as a C programmer would serve them who wants nothing else: one thread, epoll, one read and
 * one write for all lines that came together, every answer made before the first client.
 *
 *   fib-server PORT
 *
 * An integer of 0 to 93 (the last whose number fits 64 bits) is answered by "Ok: <number>", anything else by "Err: <why>".
 * Partial lines and short writes are kept; a client that does not read is not read from.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LAST = 93, LINE_BYTES_MAX = 64 * 1024, READ_BYTES_MAX = 64 * 1024, ANSWER_BYTES_MAX = 40, CONNECTIONS_MAX = 16 * 1024, ACCEPTED_AT_ONCE = 16 };

struct text {
  uint8_t bytes;
  char is[ANSWER_BYTES_MAX];
};

struct connection {
  char *partial; /* the start of a line whose end has not come */
  size_t partial_bytes;
  char *unsent; /* answers that the kernel did not take */
  size_t unsent_bytes, unsent_from;
};

static struct text answers[LAST + 1], not_a_number, too_large;
static struct connection *connections[CONNECTIONS_MAX];
static int poller;

static void die(const char *what) {
  fprintf(stderr, "fib-server: cannot %s: %s\n", what, strerror(errno));
  exit(1);
}

static void make_answers(void) {
  uint64_t a = 0, b = 1;
  for (int n = 0; n <= LAST; n++) {
    answers[n].bytes = (uint8_t)snprintf(answers[n].is, ANSWER_BYTES_MAX, "Ok: %lu\n", a);
    uint64_t next = a + b;
    a = b;
    b = next;
  }
  not_a_number.bytes = (uint8_t)snprintf(not_a_number.is, ANSWER_BYTES_MAX, "Err: not a whole number\n");
  too_large.bytes = (uint8_t)snprintf(too_large.is, ANSWER_BYTES_MAX, "Err: more than %d\n", LAST);
}

static const struct text *answer(const char *line, size_t bytes) {
  if (bytes > 0 && line[bytes - 1] == '\r') bytes--;
  if (bytes == 0) return &not_a_number;
  unsigned n = 0;
  for (size_t i = 0; i < bytes; i++) {
    unsigned digit = (unsigned)(unsigned char)line[i] - '0';
    if (digit > 9) return &not_a_number;
    if (n <= LAST) n = n * 10 + digit;
  }
  return n <= LAST ? &answers[n] : &too_large;
}

static void drop(int fd) {
  free(connections[fd]->partial);
  free(connections[fd]->unsent);
  free(connections[fd]);
  connections[fd] = NULL;
  close(fd);
}

static void watch(int fd, uint32_t events) {
  struct epoll_event event = {.events = events, .data.fd = fd};
  epoll_ctl(poller, EPOLL_CTL_MOD, fd, &event);
}

/* False: the connection is gone. */
static bool send_answers(int fd, const char *bytes, size_t count) {
  ssize_t sent = send(fd, bytes, count, MSG_NOSIGNAL);
  if (sent == (ssize_t)count) return true;
  if (sent < 0 && errno != EAGAIN) {
    drop(fd);
    return false;
  }
  if (sent < 0) sent = 0;
  struct connection *connection = connections[fd];
  connection->unsent_bytes = count - (size_t)sent;
  connection->unsent_from = 0;
  connection->unsent = malloc(connection->unsent_bytes);
  if (!connection->unsent) die("allocate");
  memcpy(connection->unsent, bytes + sent, connection->unsent_bytes);
  watch(fd, EPOLLOUT); /* not EPOLLIN: it is made to wait */
  return true;
}

static void writable(int fd) {
  struct connection *connection = connections[fd];
  ssize_t sent = send(fd, connection->unsent + connection->unsent_from, connection->unsent_bytes - connection->unsent_from, MSG_NOSIGNAL);
  if (sent < 0) {
    if (errno != EAGAIN) drop(fd);
    return;
  }
  connection->unsent_from += (size_t)sent;
  if (connection->unsent_from < connection->unsent_bytes) return;
  free(connection->unsent);
  connection->unsent = NULL;
  watch(fd, EPOLLIN);
}

/* False: the line is too long. */
static bool keep_partial(struct connection *connection, const char *bytes, size_t count) {
  if (count > LINE_BYTES_MAX) return false;
  if (!connection->partial && !(connection->partial = malloc(LINE_BYTES_MAX))) die("allocate");
  memmove(connection->partial, bytes, count);
  connection->partial_bytes = count;
  return true;
}

static void readable(int fd) {
  static char input[LINE_BYTES_MAX + READ_BYTES_MAX];
  static char output[(LINE_BYTES_MAX + READ_BYTES_MAX) * ANSWER_BYTES_MAX];
  struct connection *connection = connections[fd];
  size_t kept = connection->partial_bytes;
  ssize_t got = recv(fd, input + kept, READ_BYTES_MAX, 0);
  if (got <= 0) {
    if (got == 0 || (errno != EAGAIN && errno != EINTR)) drop(fd);
    return;
  }
  if (kept > 0) memcpy(input, connection->partial, kept);
  connection->partial_bytes = 0;
  char *at = input, *end = input + kept + got, *to = output;
  for (char *newline; (newline = memchr(at, '\n', (size_t)(end - at))); at = newline + 1) {
    const struct text *text = answer(at, (size_t)(newline - at));
    memcpy(to, text->is, ANSWER_BYTES_MAX); /* a fixed size costs less than the right one */
    to += text->bytes;
  }
  if (at < end && !keep_partial(connection, at, (size_t)(end - at))) {
    drop(fd);
    return;
  }
  if (to > output) send_answers(fd, output, (size_t)(to - output));
}

/* A few at a time, so that those who are in already are not kept waiting by those who come. */
static void accept_some(int listener) {
  for (int i = 0; i < ACCEPTED_AT_ONCE; i++) {
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (fd >= CONNECTIONS_MAX || !(connections[fd] = calloc(1, sizeof **connections))) {
      close(fd);
      continue;
    }
    if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) < 0) die("watch a connection");
    readable(fd); /* often the line has come with the connection */
  }
}

static int listen_on(int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one); /* connections inherit it */
  if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 4096) < 0) die("listen");
  return listener;
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: fib-server PORT\n");
    return 2;
  }
  make_answers();
  int listener = listen_on(atoi(argv[1]));
  if ((poller = epoll_create1(EPOLL_CLOEXEC)) < 0) die("poll");
  struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[256];
  if (epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event) < 0) die("watch the listener");
  for (;;) {
    int count = epoll_wait(poller, events, 256, -1);
    for (int i = 0; i < count; i++) {
      int fd = events[i].data.fd;
      if (fd == listener) accept_some(listener);
      else if (events[i].events & EPOLLOUT) writable(fd);
      else readable(fd);
    }
  }
}
