/** The functions that are measured: urocket serves them from here, and the proxies' function server imports them. */

export interface NewOrder {
  readonly customer: { readonly name: string; readonly email: string };
  readonly items: readonly { readonly sku: string; readonly quantity: number; readonly cents: number; readonly gift?: boolean }[];
  readonly note?: string;
}

export function hello(): { readonly message: string } {
  return { message: "hello" };
}

export function addOrder({ body }: { readonly body: NewOrder }): NewOrder & { readonly id: number; readonly totalCents: number } {
  const totalCents = body.items.reduce((sum, { quantity, cents }) => sum + quantity * cents, 0);
  return { id: 1, totalCents, ...body };
}

// oxlint-disable-next-line import/no-default-export -- the convention of Fetch handlers
export default {
  fetch(_request: Request): Response {
    return Response.json({ message: "hello" });
  },
};
