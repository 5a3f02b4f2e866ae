/*
 * The physical limit of a program per request: no HTTP server at all. Each of N processes does nothing but start a
 * program, take its answer, and wait for it, one after the other.
 *
 *   limit --reply pipe|socket --processes 2 --seconds 3 [--warm-up 0.5] PROGRAM
 *
 * pipe:   the program prints its answer; read to the end of its stdout (what a CGI-like server cannot do without).
 * socket: the program POSTs its answer to a unix socket, and is told 200 (what the reply protocol cannot do without).
 *
 * Prints one JSON object: programs, latencies, and CPU of the loop itself and of the programs.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PROCESSES_MAX = 64, SAMPLES_MAX = 1000 * 1000, ANSWER_BYTES_MAX = 4096, PATIENCE_MS = 5000 };
static const char expected[] = "hello\n";
static const char taken[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

struct result {
  size_t count, wrong;
  int64_t own_us, programs_us;
  uint32_t us[SAMPLES_MAX];
};

static bool over_socket;
static char *program;
static char socket_path[108];
static int listener = -1;
static char **child_environment;

static void die(const char *what) {
  fprintf(stderr, "limit: cannot %s: %s\n", what, strerror(errno));
  exit(1);
}

static int64_t now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int64_t cpu_us(int who) {
  struct rusage used;
  getrusage(who, &used);
  return (int64_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000 + used.ru_utime.tv_usec + used.ru_stime.tv_usec;
}

static pid_t start(posix_spawn_file_actions_t *actions) {
  pid_t pid;
  char *arguments[] = {program, NULL};
  errno = posix_spawn(&pid, program, actions, NULL, arguments, child_environment);
  if (errno != 0) die(program);
  return pid;
}

static bool finish(pid_t pid) {
  int status;
  while (waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) die("wait");
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool once_by_pipe(void) {
  int ends[2];
  char answer[ANSWER_BYTES_MAX];
  size_t filled = 0;
  ssize_t got;
  posix_spawn_file_actions_t actions;
  if (pipe2(ends, O_CLOEXEC) < 0) die("make a pipe");
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
  pid_t pid = start(&actions);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  while (filled < sizeof answer && (got = read(ends[0], answer + filled, sizeof answer - filled)) > 0) filled += got;
  close(ends[0]);
  return finish(pid) && filled == strlen(expected) && memcmp(answer, expected, filled) == 0;
}

/* Reads one POST whose body is the expected answer. */
static bool take_post(int fd) {
  char post[ANSWER_BYTES_MAX + 1];
  size_t filled = 0;
  for (;;) {
    ssize_t got = read(fd, post + filled, ANSWER_BYTES_MAX - filled);
    if (got <= 0) return false;
    filled += got;
    post[filled] = 0;
    char *body = strstr(post, "\r\n\r\n");
    if (!body || (size_t)(post + filled - body - 4) < strlen(expected)) continue;
    return strncmp(post, "POST ", 5) == 0 && strcmp(body + 4, expected) == 0 && write(fd, taken, sizeof taken - 1) > 0;
  }
}

static bool once_by_socket(void) {
  pid_t pid = start(NULL);
  struct pollfd waiting = {.fd = listener, .events = POLLIN};
  bool right = false;
  if (poll(&waiting, 1, PATIENCE_MS) == 1) {
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    right = fd >= 0 && take_post(fd);
    if (fd >= 0) close(fd);
  } else kill(pid, SIGKILL);
  return finish(pid) && right;
}

static void open_reply_socket(void) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  static char socket_variable[160];
  static char *environment[4] = {socket_variable, "UROCKET_REPLY=/uri/0", NULL, NULL};
  const char *folder = getenv("TMPDIR");
  snprintf(socket_path, sizeof socket_path, "%s/limit-%d.sock", folder ? folder : "/tmp", getpid());
  snprintf(address.sun_path, sizeof address.sun_path, "%s", socket_path);
  listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 16) < 0) die("listen");
  snprintf(socket_variable, sizeof socket_variable, "UROCKET_SOCKET=%s", socket_path);
  environment[2] = "PATH=/usr/local/bin:/usr/bin:/bin";
  child_environment = environment;
}

static void loop(struct result *result, double warm_up_seconds, double seconds) {
  static char *plain[] = {"PATH=/usr/local/bin:/usr/bin:/bin", NULL};
  child_environment = plain;
  if (over_socket) open_reply_socket();
  int64_t measured = now_us() + (int64_t)(warm_up_seconds * 1e6), end = measured + (int64_t)(seconds * 1e6);
  int64_t own = 0, programs = 0;
  bool measuring = false;
  for (int64_t began = now_us(); began < end; began = now_us()) {
    if (!measuring && began >= measured) {
      measuring = true;
      own = cpu_us(RUSAGE_SELF);
      programs = cpu_us(RUSAGE_CHILDREN);
    }
    bool right = over_socket ? once_by_socket() : once_by_pipe();
    if (!right) result->wrong++;
    else if (measuring && result->count < SAMPLES_MAX) result->us[result->count++] = (uint32_t)(now_us() - began);
  }
  result->own_us = cpu_us(RUSAGE_SELF) - own;
  result->programs_us = cpu_us(RUSAGE_CHILDREN) - programs;
  if (over_socket) unlink(socket_path);
}

static int ascending(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}

static void print_results(struct result *const *results, int processes, double seconds) {
  size_t count = 0, wrong = 0, at = 0;
  int64_t own = 0, programs = 0;
  for (int i = 0; i < processes; i++) {
    count += results[i]->count;
    wrong += results[i]->wrong;
    own += results[i]->own_us;
    programs += results[i]->programs_us;
  }
  uint32_t *all = malloc((count + 1) * sizeof *all);
  if (!all) die("allocate");
  all[0] = 0;
  for (int i = 0; i < processes; i++)
    for (size_t j = 0; j < results[i]->count; j++) all[at++] = results[i]->us[j];
  qsort(all, count, sizeof *all, ascending);
  printf("{\"seconds\":%.6f,\"count\":%zu,\"wrong\":%zu,\"p50Us\":%u,\"p99Us\":%u,\"ownCpuUs\":%ld,\"programsCpuUs\":%ld}\n", seconds, count,
         wrong, all[count / 2], all[(size_t)(0.99 * (double)count)], own, programs);
}

int main(int argc, char **argv) {
  int processes = 2;
  double seconds = 3, warm_up_seconds = 0.5;
  struct result *results[PROCESSES_MAX];
  pid_t pids[PROCESSES_MAX];
  int i = 1;
  for (; i + 1 < argc && argv[i][0] == '-'; i += 2) {
    if (!strcmp(argv[i], "--reply")) over_socket = !strcmp(argv[i + 1], "socket");
    else if (!strcmp(argv[i], "--processes")) processes = atoi(argv[i + 1]);
    else if (!strcmp(argv[i], "--seconds")) seconds = atof(argv[i + 1]);
    else if (!strcmp(argv[i], "--warm-up")) warm_up_seconds = atof(argv[i + 1]);
    else break;
  }
  if (i != argc - 1 || processes < 1 || processes > PROCESSES_MAX) {
    fprintf(stderr, "usage: limit [--reply pipe|socket] [--processes 1..64] [--seconds S] [--warm-up S] PROGRAM\n");
    return 2;
  }
  program = argv[i];
  for (int n = 0; n < processes; n++) {
    results[n] = mmap(NULL, sizeof(struct result), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (results[n] == MAP_FAILED) die("allocate");
    if ((pids[n] = fork()) < 0) die("fork");
    if (pids[n] == 0) {
      loop(results[n], warm_up_seconds, seconds);
      _exit(0);
    }
  }
  bool whole = true;
  for (int n = 0; n < processes; n++) whole = finish(pids[n]) && whole;
  print_results(results, processes, seconds);
  return whole ? 0 : 1;
}
