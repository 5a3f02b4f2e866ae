/*
 * How long until the first byte of an answer, once: of an HTTP server that is asked on a connection made ahead, or of a program
 * that is started.
 *
 *   first-byte --port N --path /hello --body TEXT    prints "connected", waits for a line on stdin, then asks
 *   first-byte --body TEXT -- PROGRAM [ARGUMENT…]    starts it and reads its stdout
 *
 * Prints one JSON object. `right`: the answer is a 200 (or the program ended with 0) and its body, to the last byte, is TEXT.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ANSWER_BYTES_MAX = 16 * 1024, PATIENCE_MS = 10 * 1000 };

static const char *body = "";
static char answer[ANSWER_BYTES_MAX + 1];
static size_t filled;
static int64_t began_ns, first_ns;

static void die(const char *what) {
  fprintf(stderr, "first-byte: cannot %s: %s\n", what, strerror(errno));
  exit(1);
}

static int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* False: the end, or nothing for too long. */
static bool read_more(int fd) {
  struct pollfd waiting = {.fd = fd, .events = POLLIN};
  if (filled == ANSWER_BYTES_MAX || poll(&waiting, 1, PATIENCE_MS) != 1) return false;
  ssize_t got = read(fd, answer + filled, ANSWER_BYTES_MAX - filled);
  if (got <= 0) return false;
  if (filled == 0) first_ns = now_ns();
  filled += (size_t)got;
  answer[filled] = 0;
  return true;
}

/* Whether all of the body came, by its Content-Length; without one, only the connection's end could tell. */
static bool is_whole(void) {
  char *head_end = strstr(answer, "\r\n\r\n"), *length = strcasestr(answer, "\r\ncontent-length:");
  return head_end && length && length < head_end && filled >= (size_t)(head_end + 4 - answer) + strtoul(length + 17, NULL, 10);
}

static bool ask(int fd, const char *request) {
  began_ns = now_ns();
  if (send(fd, request, strlen(request), MSG_NOSIGNAL) != (ssize_t)strlen(request)) die("send the request");
  while (!(filled > 0 && is_whole()) && read_more(fd)) {}
  char *head_end = strstr(answer, "\r\n\r\n");
  return head_end && strncmp(answer, "HTTP/1.1 200", 12) == 0 && strcmp(head_end + 4, body) == 0;
}

static int dial(int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0) die("connect");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  return fd;
}

static bool run_request(int port, const char *path) {
  char request[1024], line[16];
  int fd = dial(port);
  snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n", path, port);
  puts("connected");
  fflush(stdout);
  if (!fgets(line, sizeof line, stdin)) die("read a line from stdin");
  return ask(fd, request);
}

static bool run_program(char **argv) {
  extern char **environ;
  int ends[2], status;
  pid_t pid;
  posix_spawn_file_actions_t actions;
  if (pipe(ends) < 0) die("make a pipe");
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
  posix_spawn_file_actions_addclose(&actions, ends[0]);
  posix_spawn_file_actions_addclose(&actions, ends[1]);
  began_ns = now_ns();
  errno = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
  if (errno) die("start the program");
  close(ends[1]);
  while (read_more(ends[0])) {}
  return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0 && strcmp(answer, body) == 0;
}

static void print_report(bool right) {
  char shown[200];
  size_t to = 0;
  for (size_t i = 0; i < filled && to < sizeof shown - 1; i++)
    shown[to++] = answer[i] < ' ' || answer[i] > '~' ? ' ' : answer[i] == '"' || answer[i] == '\\' ? '\'' : answer[i];
  shown[to] = 0;
  printf("{\"right\":%s,\"firstByteUs\":%.1f,\"answer\":\"%s\"}\n", right ? "true" : "false", (double)(first_ns - began_ns) / 1e3, shown);
}

int main(int argc, char **argv) {
  int port = 0, i = 1;
  const char *path = NULL;
  for (; i + 1 < argc && strcmp(argv[i], "--") != 0; i += 2) {
    if (!strcmp(argv[i], "--port")) port = atoi(argv[i + 1]);
    else if (!strcmp(argv[i], "--path")) path = argv[i + 1];
    else if (!strcmp(argv[i], "--body")) body = argv[i + 1];
    else break;
  }
  bool program = i + 1 < argc && strcmp(argv[i], "--") == 0;
  if (!program && (i != argc || port < 1 || !path)) {
    fprintf(stderr, "usage: first-byte --body TEXT --port N --path PATH | --body TEXT -- PROGRAM [ARGUMENT...]\n");
    return 2;
  }
  print_report(program ? run_program(argv + i + 1) : run_request(port, path));
  return 0;
}
