/**
 * What a program is told about its reply: a status, and a small JSON object that says it in words. A reply that was taken
 * gets no words: a script's curl prints them, and they would stand in the log of every request.
 */

export interface ReplyAnswer {
  readonly status: number;
  readonly message: string;
}

const reasons: Readonly<Record<number, string>> = {
  200: "OK",
  204: "No Content",
  400: "Bad Request",
  404: "Not Found",
  405: "Method Not Allowed",
  408: "Request Timeout",
  409: "Conflict",
  410: "Gone",
  422: "Unprocessable Content",
  431: "Request Header Fields Too Large",
  501: "Not Implemented",
  503: "Service Unavailable",
  505: "HTTP Version Not Supported",
};

export const answeredAlready: ReplyAnswer = { status: 409, message: "This request was answered already" };
export const tooLate: ReplyAnswer = { status: 410, message: "This request is over: its deadline has passed or it was ended" };
export const clientLeft: ReplyAnswer = { status: 410, message: "This request is over: the client has left" };
export const unknownRequest: ReplyAnswer = {
  status: 404,
  message: "No request is waiting for a reply at this path: POST to the path in UROCKET_REPLY",
};
export const otherVerb: ReplyAnswer = { status: 405, message: "Reply with POST or PUT; GET asks whether the reply is awaited" };
export const tooManyConnections: ReplyAnswer = { status: 503, message: "Too many connections are open to the reply socket" };
export const namedNothing: ReplyAnswer = { status: 408, message: "The connection was idle for too long" };

export const goOn = "HTTP/1.1 100 Continue\r\n\r\n";

/** The bytes of an answer, in latin-1. */
export function answerText(answer: ReplyAnswer, close: boolean): string {
  return responseText(answer.status, "application/json", JSON.stringify(answer), close);
}

/** As `answerText`, for an answer whose body is made elsewhere. */
export function responseText(status: number, contentType: string, body: string, close: boolean): string {
  const head = `HTTP/1.1 ${status} ${reasons[status] ?? "Unknown"}\r\n`;
  const allow = status === 405 ? "Allow: GET, POST, PUT\r\n" : "";
  const connection = close ? "Connection: close\r\n" : "";
  if (status === 204) return `${head}${connection}\r\n`;
  if (body === "") return `${head}Content-Length: 0\r\n${connection}\r\n`;
  return `${head}Content-Type: ${contentType}\r\nContent-Length: ${body.length}\r\n${allow}${connection}\r\n${body}`;
}

/** The usual answer: taken. Made once. */
export const takenText = responseText(200, "", "", false);
export const takenAndClosedText = responseText(200, "", "", true);
