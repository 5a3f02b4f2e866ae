/** `health` of a service: a path that answers 2xx, or a mapping that also says how often it is looked at. */
import { fields } from "./fields.ts";
import type { Definitions, Refusal, Shape } from "./shape.ts";
import { duration, integer, named, refuseType, text } from "./shape.ts";
import type { Health } from "./app.ts";
import { quoted } from "./value.ts";

const minute = 60_000;

export const healthDefaults = { everyMs: 10_000, timeoutMs: 2_000, failuresMax: 3 } as const satisfies Health;

const path = text({ expected: "a path", pattern: String.raw`^[^\s#]+$`, refuse: refusePath });

const mapping = named(
  "health",
  fields(
    {
      path: {
        shape: path,
        description: "What is asked for by GET; well is 2xx. Default: nothing, its port has to accept connections.",
        examples: ["/healthz"],
      },
      every: { shape: duration({ min: 100, max: 60 * minute }), description: "Between two looks at a ready one.", default: "10s" },
      timeout: { shape: duration({ min: 1, max: 5 * minute }), description: "For one answer.", default: "2s" },
      failures: {
        shape: integer({ min: 1, max: 1000 }),
        description: "So many in a row, and the instance is replaced.",
        default: healthDefaults.failuresMax,
      },
    },
    { expected: "a mapping" },
  ),
);

const expected = "a path such as /healthz, or a mapping with `path`, `every`, `timeout` and `failures`";

export const health: Shape<Health> = {
  expected,
  read(value, name, reading) {
    if (value.kind !== "mapping" && value.kind !== "text") return refuseType(value, name, expected, reading);
    if (value.kind === "text") {
      const read = path.read(value, name, reading);
      return read === undefined ? undefined : { ...healthDefaults, path: withSlash(read) };
    }
    const read = mapping.read(value, name, reading);
    if (read === undefined) return undefined;
    return {
      ...(read.path === undefined ? {} : { path: withSlash(read.path.value) }),
      everyMs: read.every?.value ?? healthDefaults.everyMs,
      timeoutMs: read.timeout?.value ?? healthDefaults.timeoutMs,
      failuresMax: read.failures?.value ?? healthDefaults.failuresMax,
    };
  },
  schema: (definitions: Definitions) => ({ anyOf: [path.schema(definitions), mapping.schema(definitions)] }),
};

const withSlash = (written: string): string => (written.startsWith("/") ? written : `/${written}`);

function refusePath(written: string): Refusal | undefined {
  if (/^[a-z]+:\/\//i.test(written))
    return { message: `The path ${quoted(written)} is an address`, hint: "Write its path alone: the service is asked where it listens" };
  // What a request line can hold (RFC 9112 §3.2.1).
  if (/^[\x21-\x7e]+$/.test(written) && !written.includes("#")) return undefined;
  return {
    message: written === "" ? "An empty text stands where a path is wanted" : `The path ${quoted(written)} cannot be asked for`,
    hint: "Write a path such as /healthz, what is not ASCII percent-encoded",
  };
}
