/** Each export serves the operation of openapi.yaml that has its name. What gets here has passed the contract. */
import { type Handler, HttpError } from "urocket";
import type { operations } from "./openapi.ts"; // written by `urocket types`

export const hello: Handler<operations["hello"]> = ({ params, query }, ctx) => {
  if (params.name === "Nobody") throw new HttpError(404, "There is nobody of that name");
  ctx.log.info("greeting", { name: params.name });
  const greeting = process.env["GREETING"] ?? "Hi";
  return { message: `${greeting}, ${params.name}! `.repeat(query.times).trim() };
};

export const sum: Handler<operations["sum"]> = ({ body }) => ({ sum: body.numbers.reduce((total, number) => total + number, 0) });

/** A stream is sent as it comes, and ended when the client leaves. */
export const countDown: Handler<operations["countDown"]> = ({ params }) => {
  let left = params.from;
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      controller.enqueue(encoder.encode(`data: ${left}\n\n`));
      if (left === 0) return controller.close();
      left -= 1;
      await new Promise((resolve) => setTimeout(resolve, 1000));
    },
  });
  return { status: 200, body };
};
