/** What the daemon answers: a function from a request to a response, so that it can be tested without a server. */

/** Between two ticks of the clock, in ms. */
const tickMs = 1000;

export function answer(request: Request): Response {
  const { pathname } = new URL(request.url);
  if (request.method !== "GET") return new Response("Only GET is answered\n", { status: 405, headers: { allow: "GET" } });
  switch (pathname) {
    case "/":
      return Response.json({
        greeting: process.env["GREETING"] ?? "Hello",
        instance: process.env["UROCKET_INSTANCE"] ?? "none",
        request: request.headers.get("x-request-id"),
      });
    case "/clock":
      return new Response(ticks(request.signal), { headers: { "content-type": "text/event-stream", "cache-control": "no-store" } });
    case "/healthz":
      return new Response("well\n");
    default:
      return new Response("There is nothing here\n", { status: 404 });
  }
}

/** Server-sent events, until the client leaves. */
async function* ticks(signal: AbortSignal): AsyncGenerator<string> {
  for (let tick = 0; !signal.aborted; tick++) {
    yield `id: ${tick}\ndata: ${new Date().toISOString()}\n\n`;
    await Bun.sleep(tickMs);
  }
}
