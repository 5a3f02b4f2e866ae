/** Answers the request that this program was started for: a POST to the reply socket, as any HTTP client can send it. */
export async function reply(status: number, body: unknown, headers: Record<string, string> = {}): Promise<void> {
  const { UROCKET_SOCKET: unix = "", UROCKET_REPLY: path = "" } = process.env;
  const answer = await fetch(`http://localhost${path}?status=${status}`, {
    unix,
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`The reply was not taken (${answer.status}): ${await answer.text()}`);
}
