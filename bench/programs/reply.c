/*
 * The program of urocket: POSTs the same answer to the reply socket and reads that it was taken. With the argument "-"
 * the answer is its standard input, for programs that cannot speak to a unix socket themselves (a shell).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int fail(const char *what) {
  perror(what);
  return 1;
}

int main(int argc, char **argv) {
  const char *path = getenv("UROCKET_SOCKET"), *reply = getenv("UROCKET_REPLY");
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  char body[4096] = "hello\n", post[5120], told[512];
  size_t length = strlen(body), filled = 0;
  ssize_t got;
  if (!path || !reply || strlen(path) >= sizeof address.sun_path) return fputs("reply: UROCKET_SOCKET and UROCKET_REPLY are needed\n", stderr), 2;
  if (argc > 1 && strcmp(argv[1], "-") == 0)
    for (length = 0; length < sizeof body && (got = read(0, body + length, sizeof body - length)) > 0;) length += got;
  strcpy(address.sun_path, path);
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0) return fail("reply: cannot connect");
  int head = snprintf(post, sizeof post - sizeof body, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n\r\n", reply, length);
  memcpy(post + head, body, length);
  if (write(fd, post, head + length) != (ssize_t)(head + length)) return fail("reply: cannot send");
  while (filled < sizeof told - 1 && (got = read(fd, told + filled, sizeof told - 1 - filled)) > 0) {
    filled += got;
    told[filled] = 0;
    if (strstr(told, "\r\n\r\n")) break;
  }
  return filled > 12 && strncmp(told + 8, " 200", 4) == 0 ? 0 : (fprintf(stderr, "reply: not taken: %.*s\n", (int)filled, told), 1);
}
