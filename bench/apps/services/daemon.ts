/**
 * The daemon that is measured, a few lines of Bun.serve: a greeting, a stream of events of which only the first ever comes, and
 * where it can be reached, so that other proxies are put before the same instances.
 */
import { networkInterfaces } from "node:os";

const { HOST: hostname = "127.0.0.1", PORT: port = "8080" } = process.env;
const headers = { "Content-Type": "text/event-stream" };

Bun.serve({
  hostname,
  port: Number(port),
  reusePort: false,
  development: false,
  idleTimeout: 0,
  routes: {
    "/hello": () => new Response("hello\n"),
    "/events": () => new Response(new ReadableStream({ start: (stream) => stream.enqueue("data: hello\n\n") }), { headers }),
    "/where": () => new Response(`${reach()}:${port}`),
  },
  fetch: () => new Response("not found\n", { status: 404 }),
});

/** In a container it listens everywhere, and is reached at its own address. */
function reach(): string {
  if (hostname !== "0.0.0.0") return hostname;
  const own = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return own.find(({ family, internal }) => family === "IPv4" && !internal)?.address ?? "127.0.0.1";
}
