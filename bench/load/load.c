/*
 * The bench's HTTP load client: one thread, epoll, one keep-alive request over and over, by IPv4.
 *
 *   load --port N --path /dynamic?n=1 --seconds 3 [--warm-up 0.5] [--connections 16] [--rate R]
 *        [--requests N] [--status 200] [--body TEXT] [--refusal 503] [--send TEXT] [--type application/json]
 *        [--address 127.0.0.1]
 *
 * A GET; with --send a POST of that body. --body is the answer's.
 *
 * Without --rate it is a closed loop: every connection asks again as soon as it is answered. With --rate it is an open
 * loop: R requests a second are sent whether or not earlier ones were answered, over as many connections as that takes,
 * at most --connections. With --requests a closed loop ends after so many requests, or when the time is over.
 *
 * When the time is over nothing more is asked, and what is open is awaited (not counted in the figures, but in
 * "answered"), so that CPU accounts have whole requests in them and no server sees a client that leaves.
 *
 * It exists because wrk 4.1 rewrites its latencies ("coordinated omission correction", which shifts the percentiles of a
 * closed loop) and does not count a connection that the server closes instead of answering. Here every answer is
 * checked: status, whole body, and that there was one. One JSON object is printed.
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
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { REPLY_BYTES_MAX = 16 * 1024, SAMPLES_MAX = 4 * 1000 * 1000, CONNECTIONS_MAX = 16 * 1024, PATIENCE_US = 10 * 1000 * 1000 };

struct connection {
  int fd; /* -1: not connected */
  bool pending;
  int64_t sent_us;
  size_t filled;
  char reply[REPLY_BYTES_MAX + 1];
};

struct samples {
  uint32_t *us;
  size_t count;
};

struct reply {
  int status;
  bool closes;
  char *body;
  size_t body_bytes;
};

enum parsed { INCOMPLETE, COMPLETE, MALFORMED };

static struct {
  int port, connections, status, refusal;
  uint64_t requests; /* 0: as many as there is time for */
  double seconds, warm_up_seconds, rate;
  const char *address, *path, *body, *send, *type;
} options = {.address = "127.0.0.1", .type = "application/json", .connections = 16, .status = 200, .seconds = 3, .warm_up_seconds = 0.5};

static struct connection *connections;
static int *idle, idle_count, opened;
static struct samples accepted, refused, late;
static uint64_t asked, answered_count, wrong, closed_unanswered, connect_failures, not_sent, samples_dropped;
static char first_wrong[200];
static char request[16 * 1024];
static size_t request_bytes;
static int64_t started_us, measured_us, end_us;
static int poller;

static void die(const char *what) {
  fprintf(stderr, "load: cannot %s: %s\n", what, strerror(errno));
  exit(1);
}

static int64_t now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void record(struct samples *samples, int64_t us) {
  if (samples->count == SAMPLES_MAX) {
    samples_dropped++;
    return;
  }
  samples->us[samples->count++] = us < 0 ? 0 : us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

/* ---- replies ---- */

static const char *header(const char *head, const char *head_end, const char *name) {
  size_t length = strlen(name);
  for (const char *line = strstr(head, "\r\n"); line && line < head_end; line = strstr(line + 2, "\r\n"))
    if (strncasecmp(line + 2, name, length) == 0 && line[2 + length] == ':') {
      const char *value = line + 3 + length;
      while (*value == ' ') value++;
      return value;
    }
  return NULL;
}

/* Joins the chunks in place. */
static enum parsed read_chunks(struct reply *reply, char *at, const char *end) {
  char *to = reply->body;
  for (;;) {
    char *size_end, *line_end = memmem(at, end - at, "\r\n", 2);
    if (!line_end) return INCOMPLETE;
    unsigned long size = strtoul(at, &size_end, 16);
    if (size_end == at || size > REPLY_BYTES_MAX) return MALFORMED;
    char *chunk = line_end + 2;
    if (chunk + size + 2 > end) return INCOMPLETE;
    if (memcmp(chunk + size, "\r\n", 2) != 0) return MALFORMED;
    if (size == 0) break;
    memmove(to, chunk, size);
    to += size;
    at = chunk + size + 2;
  }
  reply->body_bytes = to - reply->body;
  return COMPLETE;
}

/* Reads a reply out of a scratch copy, since joining chunks changes it. `at_end`: the server has closed. */
static enum parsed read_reply(const struct connection *connection, bool at_end, struct reply *reply) {
  static char scratch[REPLY_BYTES_MAX + 1];
  memcpy(scratch, connection->reply, connection->filled + 1);
  char *end = scratch + connection->filled, *head_end = strstr(scratch, "\r\n\r\n");
  if (!head_end) return connection->filled == REPLY_BYTES_MAX ? MALFORMED : INCOMPLETE;
  if (sscanf(scratch, "HTTP/1.%*c %d", &reply->status) != 1) return MALFORMED;
  const char *length = header(scratch, head_end, "content-length"), *coding = header(scratch, head_end, "transfer-encoding");
  const char *connection_header = header(scratch, head_end, "connection");
  reply->closes = connection_header && strncasecmp(connection_header, "close", 5) == 0;
  reply->body = head_end + 4;
  if (coding && strncasecmp(coding, "chunked", 7) == 0) {
    enum parsed parsed = read_chunks(reply, reply->body, end);
    return parsed == INCOMPLETE && connection->filled == REPLY_BYTES_MAX ? MALFORMED : parsed;
  }
  if (length) {
    reply->body_bytes = strtoul(length, NULL, 10);
    if (reply->body_bytes > REPLY_BYTES_MAX) return MALFORMED;
    return (size_t)(end - reply->body) >= reply->body_bytes ? COMPLETE : INCOMPLETE;
  }
  reply->body_bytes = end - reply->body;
  reply->closes = true;
  return at_end ? COMPLETE : INCOMPLETE;
}

static bool as_expected(const struct reply *reply) {
  if (reply->status != options.status) return false;
  return !options.body || (reply->body_bytes == strlen(options.body) && memcmp(reply->body, options.body, reply->body_bytes) == 0);
}

static void note_wrong(const struct connection *connection) {
  wrong++;
  if (first_wrong[0]) return;
  size_t to = 0;
  for (size_t i = 0; i < connection->filled && to < sizeof first_wrong - 1; i++) {
    char c = connection->reply[i];
    if (c == '"' || c == '\\') c = '\'';
    first_wrong[to++] = c < ' ' || c > '~' ? ' ' : c;
  }
}

/* ---- connections ---- */

static void drop(struct connection *connection) {
  if (connection->fd >= 0) close(connection->fd);
  connection->fd = -1;
  connection->pending = false;
  connection->filled = 0;
}

static bool dial(struct connection *connection) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(options.port), .sin_addr.s_addr = inet_addr(options.address)};
  int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) die("open a socket");
  if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
    close(fd);
    connect_failures++;
    return false;
  }
  fcntl(fd, F_SETFL, O_NONBLOCK);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  connection->fd = fd;
  connection->filled = 0;
  struct epoll_event event = {.events = EPOLLIN, .data.u32 = connection - connections};
  if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) < 0) die("watch a socket");
  return true;
}

static bool ask(struct connection *connection) {
  if (connection->fd < 0 && !dial(connection)) return false;
  connection->filled = 0;
  connection->sent_us = now_us();
  if (send(connection->fd, request, request_bytes, MSG_NOSIGNAL) != (ssize_t)request_bytes) {
    drop(connection); /* the server closed it while it was idle: ask on a new one */
    if (!dial(connection)) return false;
    connection->sent_us = now_us();
    if (send(connection->fd, request, request_bytes, MSG_NOSIGNAL) != (ssize_t)request_bytes) die("send a request");
  }
  connection->pending = true;
  asked++;
  return true;
}

static bool all_asked(void) {
  return options.requests > 0 && asked >= options.requests;
}

static void next(struct connection *connection) {
  if (now_us() >= end_us || all_asked()) return;
  if (options.rate > 0) idle[idle_count++] = connection - connections;
  else if (!ask(connection)) usleep(1000);
}

static void answered(struct connection *connection, const struct reply *reply) {
  int64_t now = now_us();
  bool counts = now >= measured_us && now < end_us;
  answered_count++;
  if (options.refusal && reply->status == options.refusal) {
    if (counts) record(&refused, now - connection->sent_us);
  } else if (!as_expected(reply)) note_wrong(connection);
  else if (counts) record(&accepted, now - connection->sent_us);
  connection->pending = false;
  if (reply->closes) drop(connection);
  next(connection);
}

static void broken(struct connection *connection) {
  if (!connection->pending) {
    drop(connection);
    return; /* an idle connection that the server closed is no error */
  }
  closed_unanswered++;
  drop(connection);
  next(connection);
}

static void readable(struct connection *connection) {
  if (connection->fd < 0) return;
  ssize_t got = recv(connection->fd, connection->reply + connection->filled, REPLY_BYTES_MAX - connection->filled, 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got > 0) {
    connection->filled += got;
    connection->reply[connection->filled] = 0;
  }
  if (!connection->pending) {
    if (got > 0) note_wrong(connection); /* bytes that nobody asked for */
    drop(connection);
    return;
  }
  struct reply reply = {0};
  switch (read_reply(connection, got <= 0, &reply)) {
    case COMPLETE:
      answered(connection, &reply);
      return;
    case MALFORMED:
      note_wrong(connection);
      drop(connection);
      next(connection);
      return;
    case INCOMPLETE:
      if (got <= 0) broken(connection);
  }
}

/* ---- the two loops ---- */

static void start_closed_loop(void) {
  for (opened = 0; opened < options.connections && !all_asked(); opened++)
    if (!ask(&connections[opened])) die("connect");
}

/* Sends what is due by now. */
static void send_due(void) {
  static uint64_t sent;
  int64_t now = now_us();
  uint64_t due = (uint64_t)((double)(now - started_us) * options.rate / 1e6);
  for (; sent < due; sent++) {
    int64_t intended = started_us + (int64_t)((double)(sent + 1) * 1e6 / options.rate);
    if (idle_count == 0 && opened == options.connections) {
      not_sent++;
      continue;
    }
    int which = idle_count > 0 ? idle[--idle_count] : opened++;
    if (!ask(&connections[which])) idle[idle_count++] = which;
    else if (intended >= measured_us) record(&late, connections[which].sent_us - intended);
  }
}

static int start_open_loop(void) {
  int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  double every_s = 1 / options.rate < 0.001 ? 0.001 : 1 / options.rate;
  struct timespec every = {.tv_sec = (time_t)every_s, .tv_nsec = (long)((every_s - (time_t)every_s) * 1e9)};
  struct itimerspec spec = {.it_interval = every, .it_value = every};
  struct epoll_event event = {.events = EPOLLIN, .data.u32 = UINT32_MAX};
  if (timer < 0 || timerfd_settime(timer, 0, &spec, NULL) < 0 || epoll_ctl(poller, EPOLL_CTL_ADD, timer, &event) < 0) die("make a timer");
  return timer;
}

static void serve_events(int timer, int64_t until_us) {
  struct epoll_event events[256];
  uint64_t ticks;
  int count = epoll_wait(poller, events, 256, (int)((until_us - now_us()) / 1000) + 1);
  for (int i = 0; i < count; i++) {
    if (events[i].data.u32 != UINT32_MAX) readable(&connections[events[i].data.u32]);
    else if (read(timer, &ticks, sizeof ticks) > 0 && now_us() < end_us) send_due();
  }
}

static int pending_count(void) {
  int count = 0;
  for (int i = 0; i < opened; i++) count += connections[i].pending;
  return count;
}

static void run(void) {
  started_us = now_us();
  measured_us = started_us + (int64_t)(options.warm_up_seconds * 1e6);
  end_us = measured_us + (int64_t)(options.seconds * 1e6);
  int timer = -1;
  if (options.rate > 0) timer = start_open_loop();
  else start_closed_loop();
  while (now_us() < end_us && !(all_asked() && pending_count() == 0)) serve_events(timer, end_us);
  if (all_asked()) end_us = now_us();
  while (pending_count() > 0 && now_us() < end_us + PATIENCE_US) serve_events(timer, now_us() + 10000);
}

/* ---- the report ---- */

static int ascending(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}

/* Nearest rank. */
static uint32_t percentile(const struct samples *samples, double part) {
  if (samples->count == 0) return 0;
  size_t rank = (size_t)(part * (double)samples->count);
  return samples->us[rank >= samples->count ? samples->count - 1 : rank];
}

static void print_samples(const char *name, struct samples *samples) {
  qsort(samples->us, samples->count, sizeof *samples->us, ascending);
  printf("\"%s\":{\"count\":%zu,\"p50Us\":%u,\"p99Us\":%u,\"maxUs\":%u},", name, samples->count, percentile(samples, 0.5),
         percentile(samples, 0.99), percentile(samples, 1));
}

static void print_report(void) {
  struct rusage used;
  getrusage(RUSAGE_SELF, &used);
  printf("{\"seconds\":%.6f,", (double)(end_us - measured_us) / 1e6);
  print_samples("accepted", &accepted);
  print_samples("refused", &refused);
  print_samples("late", &late);
  printf("\"answered\":%lu,\"wrong\":%lu,\"firstWrong\":\"%s\",\"closedUnanswered\":%lu,\"connectFailures\":%lu,\"notSent\":%lu,", answered_count, wrong, first_wrong,
         closed_unanswered, connect_failures, not_sent);
  printf("\"unanswered\":%d,\"samplesDropped\":%lu,\"connectionsOpened\":%d,\"clientCpuUs\":%ld}\n", pending_count(),
         samples_dropped, opened,
         (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000L + used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

static void usage(const char *problem) {
  fprintf(stderr, "load: %s\nusage: load --port N --path PATH [--seconds S] [--warm-up S] [--connections N] [--requests N] [--rate R] [--status N] [--body TEXT] [--refusal N] [--send TEXT] [--type TYPE] [--address IPV4]\n", problem);
  exit(2);
}

static void read_options(int argc, char **argv) {
  for (int i = 1; i < argc; i += 2) {
    const char *name = argv[i], *value = argv[i + 1];
    if (!value) usage(name);
    if (!strcmp(name, "--port")) options.port = atoi(value);
    else if (!strcmp(name, "--address")) options.address = value;
    else if (!strcmp(name, "--path")) options.path = value;
    else if (!strcmp(name, "--seconds")) options.seconds = atof(value);
    else if (!strcmp(name, "--warm-up")) options.warm_up_seconds = atof(value);
    else if (!strcmp(name, "--connections")) options.connections = atoi(value);
    else if (!strcmp(name, "--requests")) options.requests = strtoull(value, NULL, 10);
    else if (!strcmp(name, "--rate")) options.rate = atof(value);
    else if (!strcmp(name, "--status")) options.status = atoi(value);
    else if (!strcmp(name, "--body")) options.body = value;
    else if (!strcmp(name, "--send")) options.send = value;
    else if (!strcmp(name, "--type")) options.type = value;
    else if (!strcmp(name, "--refusal")) options.refusal = atoi(value);
    else usage(name);
  }
  if (inet_addr(options.address) == INADDR_NONE) usage("--address must be an IPv4 address");
  if (options.port < 1 || !options.path) usage("--port and --path are needed");
  if (options.connections < 1 || options.connections > CONNECTIONS_MAX) usage("--connections must be 1 to 16384");
}

static void make_request(void) {
  request_bytes = (size_t)snprintf(request, sizeof request, "%s %s HTTP/1.1\r\nHost: %s:%d\r\n", options.send ? "POST" : "GET",
                                   options.path, options.address, options.port);
  if (request_bytes < sizeof request && options.send)
    request_bytes += (size_t)snprintf(request + request_bytes, sizeof request - request_bytes, "Content-Type: %s\r\nContent-Length: %zu\r\n\r\n%s",
                                      options.type, strlen(options.send), options.send);
  else if (request_bytes < sizeof request)
    request_bytes += (size_t)snprintf(request + request_bytes, sizeof request - request_bytes, "\r\n");
  if (request_bytes >= sizeof request) usage("--path and --send are too long");
}

int main(int argc, char **argv) {
  read_options(argc, argv);
  signal(SIGPIPE, SIG_IGN);
  make_request();
  connections = calloc(options.connections, sizeof *connections);
  idle = calloc(options.connections, sizeof *idle);
  struct samples *all[] = {&accepted, &refused, &late};
  for (int i = 0; i < 3; i++)
    if (!(all[i]->us = malloc(SAMPLES_MAX * sizeof(uint32_t)))) die("allocate");
  if (!connections || !idle) die("allocate");
  for (int i = 0; i < options.connections; i++) connections[i].fd = -1;
  if ((poller = epoll_create1(EPOLL_CLOEXEC)) < 0) die("poll");
  run();
  print_report();
  return 0;
}
