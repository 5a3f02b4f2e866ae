/** A greeting that has a schema library to evaluate first, as the start of a usual app has. */
import { z } from "zod";

const Greeting = z.object({ message: z.string().min(1).max(80) });

export function hello(): z.infer<typeof Greeting> {
  return Greeting.parse({ message: "hello" });
}
