/** A module for programs of tests that answer in ways which ready-made clients do not: added to an app as `answer.ts`. */

/** Source of `answer.ts`. */
export const answerModule = `
import { connect } from "node:net";

const { UROCKET_SOCKET: unix, UROCKET_REPLY: replyPath } = process.env;

/** Replies, and prints what the program was told as "told STATUS TEXT". */
export async function answer(body, { status, path = replyPath, headers = {}, method = "POST" } = {}) {
  const query = status === undefined ? "" : "?status=" + status;
  const told = await fetch("http://localhost" + path + query, { unix, method, body, headers });
  const text = await told.text();
  console.log("told " + told.status + " " + text);
  return { status: told.status, text };
}

/** A connection to the reply socket, for bytes of one's own. */
export function connection() {
  return new Promise((resolve, reject) => {
    const socket = connect(unix, () => resolve(socket));
    socket.once("error", reject);
  });
}

/** Waits until a file is there: how a test lets a program go on. */
export async function fileAppears(name) {
  while (!(await Bun.file(name).exists())) await Bun.sleep(5);
}
`;
