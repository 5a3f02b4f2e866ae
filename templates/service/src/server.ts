/** The daemon: listens where it is told, and leaves when it is told. */
import { answer } from "./app.ts";

const server = Bun.serve({
  hostname: process.env["HOST"] ?? "127.0.0.1",
  port: Number(process.env["PORT"] ?? 3000),
  // urocket decides how long a connection may be silent.
  idleTimeout: 0,
  development: false,
  reusePort: false,
  fetch: answer,
});
console.log(`listening on http://${server.hostname}:${server.port}`);

// Requests that are open are answered before TERM comes; what is still open then are streams.
process.once("SIGTERM", () => void server.stop(true).then(() => process.exit(0)));
