/**
 * `env`: variables for programs, as a list of NAME=value or as a mapping. Names that urocket sets itself are refused: a
 * program could not tell whose value it got.
 */
import type { EnvironmentEntry } from "./app.ts";
import { argumentBytesMax } from "../core/program-arguments.ts";
import type { Reading } from "./reading.ts";
import type { Shape } from "./shape.ts";
import { refuseTag, refuseType } from "./shape.ts";
import { describeValue, quoted } from "./value.ts";
import type { Spot, Value } from "./value.ts";

const namePattern = "[A-Za-z_][A-Za-z0-9_]*";
const validName = new RegExp(`^${namePattern}$`);

/** Set for every program by urocket, beside all that start with UROCKET_; those of services are PORT and HOST. */
export const reservedNames: readonly string[] = [
  "URIPATH",
  "REQUEST_ID",
  "REQUEST_METHOD",
  "QUERY_STRING",
  "CONTENT_TYPE",
  "CONTENT_LENGTH",
  "TRACEPARENT",
  "TRACESTATE",
];

const expected = "a list of NAME=value, or a mapping of names to values";

/** What a variable that urocket sets is to be called, or where it is said, by its name. */
type Reserved = ReadonlyMap<string, string>;

const ofPrograms: Reserved = new Map(reservedNames.map((name) => [name, "Choose another name"]));
const ofServices: Reserved = new Map([
  ["PORT", "Write `port:` with the port where the service listens in a container; in a process sandbox it is told a free one"],
  ["HOST", "It is the address where the service is to listen; take it out"],
]);

/** Variables for programs, functions, and the whole app. */
export const environment = environmentOf(ofPrograms);
/** A daemon is told of no request by its environment: those names are free. */
export const serviceEnvironment = environmentOf(ofServices);

function environmentOf(reserved: Reserved): Shape<readonly EnvironmentEntry[]> {
  return {
    expected,
    read(value, name, reading) {
      refuseTag(value, name, reading);
      if (value.kind === "list")
        return value.items.flatMap((item, position) => only(assignment(item, `${name}[${position}]`, reserved, reading)));
      if (value.kind !== "mapping") return refuseType(value, name, expected, reading);
      return value.entries.flatMap(({ key, value: given }) => {
        const text = scalarText(given);
        if (text === undefined)
          reading.error(
            given,
            `"${name}.${key.text}" must be a text, found ${describeValue(given)}`,
            given.kind === "nothing" ? `For an empty value write ${key.text}: ""` : undefined,
          );
        return text === undefined ? [] : only(checked(key.text, text, key, reserved, reading));
      });
    },
    schema: () => ({
      anyOf: [
        { type: "array", items: { type: "string", pattern: `^${namePattern}=` } },
        {
          type: "object",
          propertyNames: { pattern: `^${namePattern}$` },
          additionalProperties: { type: ["string", "number", "boolean"] },
        },
      ],
    }),
  };
}

function assignment(item: Value, name: string, reserved: Reserved, reading: Reading): EnvironmentEntry | undefined {
  if (item.kind !== "text") {
    const [entry] = item.kind === "mapping" ? item.entries : [];
    const text = entry && scalarText(entry.value);
    reading.error(
      item,
      `"${name}" must be NAME=value, found ${describeValue(item)}`,
      entry && text !== undefined ? `Write ${entry.key.text}=${text}` : undefined,
    );
    return undefined;
  }
  const equals = item.text.indexOf("=");
  if (equals !== -1) return checked(item.text.slice(0, equals), item.text.slice(equals + 1), item, reserved, reading);
  reading.error(
    item,
    `"${name}" must be NAME=value, found ${quoted(item.text)} without "="`,
    "Programs inherit nothing of the host's environment but PATH, LANG and TZ; give the value here",
  );
  return undefined;
}

function checked(name: string, value: string, at: Spot, reserved: Reserved, reading: Reading): EnvironmentEntry | undefined {
  const wrong = (message: string, hint?: string): undefined => void reading.error(at, message, hint);
  if (!validName.test(name))
    return wrong(
      `${quoted(name)} is not a name of an environment variable`,
      "Names are made of letters, digits and _, and do not start with a digit",
    );
  const hint = name.startsWith("UROCKET_") ? "Choose another name" : reserved.get(name);
  if (hint !== undefined) return wrong(`The environment variable "${name}" is set by urocket itself`, hint);
  if (value.includes("\0")) return wrong(`The value of "${name}" holds a NUL character`);
  const bytes = Buffer.byteLength(name) + 1 + Buffer.byteLength(value);
  if (bytes > argumentBytesMax)
    return wrong(`"${name}" and its value are ${bytes} bytes; the kernel takes ${argumentBytesMax} at most`, "Put the value into a file");
  return [name, value];
}

/** Numbers and booleans as they are written: 1.10 stays "1.10". */
function scalarText(value: Value): string | undefined {
  return value.kind === "text" || value.kind === "number" || value.kind === "boolean" ? value.text : undefined;
}

function only<T>(value: T | undefined): readonly T[] {
  return value === undefined ? [] : [value];
}
