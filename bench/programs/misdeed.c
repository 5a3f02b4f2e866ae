/*
 * What a bad neighbour does, without end: misdeed fork | memory | disk | cpu. It goes on when the kernel refuses it something.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CHUNK = 1024 * 1024, SPINNERS = 8 };

static char chunk[CHUNK];

static void spin(void) {
  for (volatile unsigned long n = 0;; n++) {}
}

/* Every copy makes copies. */
static void fork_bomb(void) {
  for (;;) fork();
}

static void take_memory(void) {
  for (;;) {
    char *more = malloc(CHUNK);
    if (more) memset(more, 1, CHUNK);
  }
}

/* Writes until there is no room, removes what it wrote, and begins again. */
static void fill_disk(void) {
  for (;;) {
    int fd = open("/tmp/filling", O_CREAT | O_WRONLY | O_TRUNC, 0600);
    while (fd >= 0 && write(fd, chunk, CHUNK) > 0) {}
    if (fd >= 0) close(fd);
    unlink("/tmp/filling");
  }
}

int main(int argc, char **argv) {
  const char *what = argc > 1 ? argv[1] : "";
  memset(chunk, 1, CHUNK);
  if (!strcmp(what, "fork")) fork_bomb();
  else if (!strcmp(what, "memory")) take_memory();
  else if (!strcmp(what, "disk")) fill_disk();
  else if (!strcmp(what, "cpu")) {
    for (int i = 1; i < SPINNERS; i++)
      if (fork() == 0) break;
    spin();
  }
  fprintf(stderr, "usage: misdeed fork|memory|disk|cpu\n");
  return 2;
}
