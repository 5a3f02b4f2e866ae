/*
 * The bench's client of TCP line services: one thread, epoll, on IPv4 loopback. It sends whole numbers and knows the answers
 * of a Fibonacci service, "Ok: <number>", of 0 to 93.
 *
 *   lines --port N --seconds 3 [--warm-up 0.5] [--connections 64] [--depth 1] [--per-connection 0|1]
 *
 * A closed loop: each connection sends `depth` lines at once and waits for all their answers. With --per-connection 1 it then
 * closes and a new connection takes its place. Every byte of every answer is compared; latencies are of the whole batch, with the
 * connection's making where each has its own. Prints one JSON object of the same shape as load's; `accepted.count` is lines.
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
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { NUMBERS = 94, DEPTH_MAX = 4096, CONNECTIONS_MAX = 16 * 1024, SAMPLES_MAX = 8 * 1000 * 1000, PATIENCE_US = 10 * 1000 * 1000 };

/* The lines from one number on, wrapping around, and what must come back. */
struct batch {
  char *lines, *answers;
  size_t lines_bytes, answers_bytes;
};

struct connection {
  int fd; /* -1: not connected */
  bool pending;
  const struct batch *batch;
  size_t got;
  int64_t sent_us;
};

static struct {
  int port, connections, depth, per_connection;
  double seconds, warm_up_seconds;
} options = {.connections = 64, .depth = 1, .seconds = 3, .warm_up_seconds = 0.5};

static struct batch batches[NUMBERS];
static struct connection *connections;
static uint32_t *samples;
static size_t sample_count;
static uint64_t accepted_lines, answered_lines, wrong, closed_unanswered, connect_failures, samples_dropped;
static char first_wrong[100];
static int64_t measured_us, end_us;
static int poller;

static void die(const char *what) {
  fprintf(stderr, "lines: cannot %s: %s\n", what, strerror(errno));
  exit(1);
}

static int64_t now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void make_batches(void) {
  uint64_t fib[NUMBERS] = {0, 1};
  for (int n = 2; n < NUMBERS; n++) fib[n] = fib[n - 1] + fib[n - 2];
  for (int first = 0; first < NUMBERS; first++) {
    struct batch *batch = &batches[first];
    batch->lines = malloc((size_t)options.depth * 4 + 1);
    batch->answers = malloc((size_t)options.depth * 32 + 1);
    if (!batch->lines || !batch->answers) die("allocate");
    for (int i = 0; i < options.depth; i++) {
      int n = (first + i) % NUMBERS;
      batch->lines_bytes += (size_t)sprintf(batch->lines + batch->lines_bytes, "%d\n", n);
      batch->answers_bytes += (size_t)sprintf(batch->answers + batch->answers_bytes, "Ok: %lu\n", fib[n]);
    }
  }
}

static void drop(struct connection *connection) {
  if (connection->fd >= 0) close(connection->fd);
  connection->fd = -1;
  connection->pending = false;
}

/*
 * Closed connections keep their port for a minute. From one address the 28 000 ports are used up in a second, and the kernel then
 * spends its time in the search for one; so connections come from all over 127.0.0.0/16.
 */
static void use_next_source(int fd) {
  static uint32_t next;
  struct sockaddr_in source = {.sin_family = AF_INET, .sin_addr.s_addr = htonl((127u << 24) + 2 + next++ % 60000)};
  int one = 1;
  setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
  if (bind(fd, (struct sockaddr *)&source, sizeof source) < 0) die("choose an address");
}

static bool dial(struct connection *connection) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)options.port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) die("open a socket");
  if (options.per_connection) use_next_source(fd);
  if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
    close(fd);
    connect_failures++;
    return false;
  }
  fcntl(fd, F_SETFL, O_NONBLOCK);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  connection->fd = fd;
  struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)(connection - connections)};
  if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) < 0) die("watch a socket");
  return true;
}

static void ask(struct connection *connection) {
  static unsigned next_number;
  if (now_us() >= end_us) return;
  connection->sent_us = now_us();
  if (connection->fd < 0 && !dial(connection)) {
    usleep(1000);
    return;
  }
  connection->batch = &batches[next_number++ % NUMBERS];
  connection->got = 0;
  if (send(connection->fd, connection->batch->lines, connection->batch->lines_bytes, MSG_NOSIGNAL) != (ssize_t)connection->batch->lines_bytes) {
    closed_unanswered++;
    drop(connection);
    return;
  }
  connection->pending = true;
}

static void note_wrong(const char *bytes, size_t count) {
  wrong++;
  if (first_wrong[0]) return;
  for (size_t i = 0; i < count && i < sizeof first_wrong - 1; i++) {
    char c = bytes[i];
    first_wrong[i] = c < ' ' || c > '~' ? ' ' : c == '"' || c == '\\' ? '\'' : c;
  }
}

static void answered(struct connection *connection) {
  int64_t now = now_us();
  answered_lines += (uint64_t)options.depth;
  if (now >= measured_us && now < end_us) {
    accepted_lines += (uint64_t)options.depth;
    if (sample_count < SAMPLES_MAX) samples[sample_count++] = (uint32_t)(now - connection->sent_us);
    else samples_dropped++;
  }
  connection->pending = false;
  if (options.per_connection) drop(connection);
  ask(connection);
}

static void readable(struct connection *connection) {
  static char input[256 * 1024];
  if (connection->fd < 0) return;
  ssize_t got = recv(connection->fd, input, sizeof input, 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) {
    closed_unanswered += connection->pending;
    drop(connection);
    ask(connection);
    return;
  }
  const struct batch *batch = connection->batch;
  bool fits = connection->pending && connection->got + (size_t)got <= batch->answers_bytes;
  if (!fits || memcmp(batch->answers + connection->got, input, (size_t)got) != 0) {
    note_wrong(input, (size_t)got);
    drop(connection);
    ask(connection);
    return;
  }
  connection->got += (size_t)got;
  if (connection->got == batch->answers_bytes) answered(connection);
}

static void serve_events(int64_t until_us) {
  struct epoll_event events[256];
  int count = epoll_wait(poller, events, 256, (int)((until_us - now_us()) / 1000) + 1);
  for (int i = 0; i < count; i++) readable(&connections[events[i].data.u32]);
}

static int pending_count(void) {
  int count = 0;
  for (int i = 0; i < options.connections; i++) count += connections[i].pending;
  return count;
}

static void run(void) {
  measured_us = now_us() + (int64_t)(options.warm_up_seconds * 1e6);
  end_us = measured_us + (int64_t)(options.seconds * 1e6);
  for (int i = 0; i < options.connections; i++) ask(&connections[i]);
  while (now_us() < end_us) {
    serve_events(end_us);
    /* A connection that could not be made is tried again. */
    if (connect_failures > 0)
      for (int i = 0; i < options.connections; i++)
        if (!connections[i].pending) ask(&connections[i]);
  }
  while (pending_count() > 0 && now_us() < end_us + PATIENCE_US) serve_events(now_us() + 10000);
}

static int ascending(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}

/* Nearest rank. */
static uint32_t percentile(double part) {
  if (sample_count == 0) return 0;
  size_t rank = (size_t)(part * (double)sample_count);
  return samples[rank >= sample_count ? sample_count - 1 : rank];
}

static void print_report(void) {
  struct rusage used;
  getrusage(RUSAGE_SELF, &used);
  qsort(samples, sample_count, sizeof *samples, ascending);
  printf("{\"seconds\":%.6f,\"accepted\":{\"count\":%lu,\"p50Us\":%u,\"p99Us\":%u,\"maxUs\":%u},", (double)(end_us - measured_us) / 1e6,
         accepted_lines, percentile(0.5), percentile(0.99), percentile(1));
  printf("\"answered\":%lu,\"wrong\":%lu,\"firstWrong\":\"%s\",\"closedUnanswered\":%lu,\"connectFailures\":%lu,", answered_lines, wrong,
         first_wrong, closed_unanswered, connect_failures);
  printf("\"unanswered\":%d,\"samplesDropped\":%lu,\"clientCpuUs\":%ld}\n", pending_count(), samples_dropped,
         (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000L + used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

static void usage(const char *problem) {
  fprintf(stderr, "lines: %s\nusage: lines --port N [--seconds S] [--warm-up S] [--connections N] [--depth N] [--per-connection 0|1]\n", problem);
  exit(2);
}

static void read_options(int argc, char **argv) {
  for (int i = 1; i < argc; i += 2) {
    const char *name = argv[i], *value = argv[i + 1];
    if (!value) usage(name);
    if (!strcmp(name, "--port")) options.port = atoi(value);
    else if (!strcmp(name, "--seconds")) options.seconds = atof(value);
    else if (!strcmp(name, "--warm-up")) options.warm_up_seconds = atof(value);
    else if (!strcmp(name, "--connections")) options.connections = atoi(value);
    else if (!strcmp(name, "--depth")) options.depth = atoi(value);
    else if (!strcmp(name, "--per-connection")) options.per_connection = atoi(value);
    else usage(name);
  }
  if (options.port < 1) usage("--port is needed");
  if (options.connections < 1 || options.connections > CONNECTIONS_MAX) usage("--connections must be 1 to 16384");
  if (options.depth < 1 || options.depth > DEPTH_MAX) usage("--depth must be 1 to 4096");
}

int main(int argc, char **argv) {
  read_options(argc, argv);
  signal(SIGPIPE, SIG_IGN);
  make_batches();
  connections = calloc((size_t)options.connections, sizeof *connections);
  samples = malloc(SAMPLES_MAX * sizeof *samples);
  if (!connections || !samples) die("allocate");
  for (int i = 0; i < options.connections; i++) connections[i].fd = -1;
  if ((poller = epoll_create1(EPOLL_CLOEXEC)) < 0) die("poll");
  run();
  print_report();
  return 0;
}
