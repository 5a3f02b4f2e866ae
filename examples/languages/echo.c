/* Answers with nothing but the C library: reads the payload, connects, and writes a request of HTTP. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void fail(const char *what) {
  perror(what);
  exit(1);
}

/* All of standard input; the size goes to *length. */
static char *read_payload(size_t *length) {
  size_t room = 65536;
  char *payload = malloc(room);
  *length = 0;
  for (;;) {
    if (payload == NULL) fail("Cannot hold the payload");
    ssize_t got = read(STDIN_FILENO, payload + *length, room - *length);
    if (got < 0) fail("Cannot read the payload");
    if (got == 0) return payload;
    *length += (size_t)got;
    if (*length == room) payload = realloc(payload, room *= 2);
  }
}

static int connect_to(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path) fail("The socket's path is too long");
  strcpy(address.sun_path, path);
  int connection = socket(AF_UNIX, SOCK_STREAM, 0);
  if (connection < 0 || connect(connection, (struct sockaddr *)&address, sizeof address) != 0) fail("Cannot connect");
  return connection;
}

int main(void) {
  const char *request_id = getenv("REQUEST_ID"), *socket_path = getenv("UROCKET_SOCKET"), *reply = getenv("UROCKET_REPLY");
  if (request_id == NULL || socket_path == NULL || reply == NULL) {
    fputs("urocket starts this program: it is not run by hand\n", stderr);
    return 2;
  }
  size_t payload_length;
  char *payload = read_payload(&payload_length);

  static const char tail[] = "}\n";
  char start[512];
  int start_length = snprintf(start, sizeof start, "{\"language\":\"c\",\"requestId\":\"%s\",\"payload\":", request_id);
  if (start_length < 0 || (size_t)start_length >= sizeof start) fail("The request id is too long");

  FILE *connection = fdopen(connect_to(socket_path), "r+");
  if (connection == NULL) fail("Cannot use the connection");
  fprintf(connection, "POST %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
          reply, (size_t)start_length + payload_length + strlen(tail));
  fwrite(start, 1, (size_t)start_length, connection);
  fwrite(payload, 1, payload_length, connection);
  fputs(tail, connection);
  if (fflush(connection) != 0) fail("Cannot send the reply");

  char status[128] = "";
  if (fgets(status, sizeof status, connection) == NULL || strncmp(status, "HTTP/1.1 200 ", 13) != 0) {
    fprintf(stderr, "The reply was not taken: %s\n", status);
    return 1;
  }
  return 0;
}
