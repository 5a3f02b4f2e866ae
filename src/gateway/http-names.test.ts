import { expect, test } from "bun:test";
import { headerName, repeatedText } from "./http-names.ts";

const text = (value: string): string => {
  const bytes = Buffer.from(`.${value}.`, "latin1");
  return repeatedText(bytes, 1, bytes.length - 1);
};

test("a text is what its bytes are, whatever was there before", () => {
  // As long as each other, with the same first, middle and last byte.
  for (const value of ["a.b.c", "axbyc", "axbzc", "a.b.c", "", "\xe9", "x".repeat(1000), "127.0.0.1:8080"]) expect(text(value)).toBe(value);
});

test("names are in lower case, and only values that repeat and are no secrets are kept", () => {
  const named = (name: string) => headerName(Buffer.from(name), 0, name.length, name.length);
  expect(named("User-Agent")).toMatchObject({ name: "user-agent", repeats: true });
  for (const name of ["Authorization", "Cookie", "X-Api-Key"]) expect(named(name).repeats).toBe(false);
});
