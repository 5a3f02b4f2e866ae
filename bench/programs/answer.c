/* The program of the peers: prints the answer. Behind a CGI server (RFC 3875) a header goes before it. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int put(const char *text) {
  return write(1, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : 1;
}

int main(void) {
  return getenv("GATEWAY_INTERFACE") ? put("Content-Type: text/plain\r\n\r\nhello\n") : put("hello\n");
}
