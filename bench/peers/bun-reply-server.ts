/**
 * The reply socket in its smallest form: start a program, take what it POSTs, answer with it. No limits, no deadlines,
 * no contract, no log. It shows what the protocol costs by itself, and stands in for urocket when the bench is worked on.
 */
const folder = process.env["BENCH_PROGRAMS"] ?? ".";
const socket = `${process.env["BENCH_FOLDER"] ?? "/tmp"}/bun-reply-${process.pid}.sock`;
const placesMax = Number(process.env["BENCH_PLACES"] ?? "Infinity");
const waiting = new Map<string, (body: ArrayBuffer) => void>();

/** As urocket's service file in apps/stage names them. */
function executable(path: string): string {
  const special: Readonly<Record<string, string>> = { sh: "reply.sh", "sh-curl": "reply-curl.sh", php: "reply.php" };
  return special[path] ?? `reply-${path}`;
}

Bun.serve({
  unix: socket,
  async fetch(request) {
    const id = new URL(request.url).pathname.slice("/uri/".length);
    const taken = waiting.get(id);
    if (taken === undefined) return new Response("no such request\n", { status: 404 });
    waiting.delete(id);
    taken(await request.arrayBuffer());
    return new Response("");
  },
});

Bun.serve({
  hostname: "127.0.0.1",
  port: Number(process.env["BENCH_PORT"]),
  idleTimeout: 255,
  async fetch(request) {
    const path = new URL(request.url).pathname.slice(1);
    const file = executable(path);
    if (!/^[a-z-]+$/.test(path) || !(await Bun.file(`${folder}/${file}`).exists())) return new Response("not found\n", { status: 404 });
    if (waiting.size >= placesMax) return new Response("no place\n", { status: 503 });
    const id = crypto.randomUUID();
    const { promise, resolve } = Promise.withResolvers<ArrayBuffer>();
    waiting.set(id, resolve);
    Bun.spawn([`${folder}/${file}`], {
      cwd: folder,
      env: { PATH: process.env["PATH"] ?? "", UROCKET_SOCKET: socket, UROCKET_REPLY: `/uri/${id}` },
      stdio: ["ignore", "ignore", "ignore"],
    });
    return new Response(await promise, { headers: { "Content-Type": "text/plain" } });
  },
});
