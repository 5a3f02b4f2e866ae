/** A plain HTTP server on Bun that starts a program per request and answers what it prints. Several share a port. */
const folder = process.env["BENCH_PROGRAMS"] ?? ".";

function executable(url: string): string {
  const path = new URL(url).pathname.slice(1);
  return `${folder}/${path === "sh" || path === "php" ? `answer.${path}` : `answer-${path}`}`;
}

Bun.serve({
  hostname: "127.0.0.1",
  port: Number(process.env["BENCH_PORT"]),
  reusePort: true,
  idleTimeout: 255,
  async fetch(request) {
    const child = Bun.spawn([executable(request.url)], { stdin: "ignore", stdout: "pipe", stderr: "ignore" });
    const body = await child.stdout.bytes();
    await child.exited;
    return new Response(body, { headers: { "Content-Type": "text/plain" } });
  },
});
