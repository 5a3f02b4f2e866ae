/** Answers a light request and does nothing else: the control for the lag probe, which shows what the machine itself adds. */
Bun.serve({
  hostname: "127.0.0.1",
  port: Number(process.env["BENCH_PORT"]),
  idleTimeout: 255,
  fetch: () => new Response("not found\n", { status: 404 }),
});
