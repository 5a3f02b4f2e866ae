/** `paths`: which verb of which path is served by what. */
import { methods } from "./app.ts";
import type { AppOperation, Method, OperationTerms } from "./app.ts";
import type { Context } from "./context.ts";
import { defaults } from "./description.ts";
import type { ReadOperation, ReadPathItem, ReadServiceFile } from "./description.ts";
import type { Located, Row } from "./fields.ts";
import { outtakeDefault, replyPathOf } from "./outtake.ts";
import { checkTemplate, templateShape } from "./path-template.ts";
import type { Reading } from "./reading.ts";
import { functionOf } from "./to-function.ts";
import { injectOf } from "./to-program.ts";
import { quoted } from "./value.ts";
import type { Spot } from "./value.ts";

export function operationsOf(read: ReadServiceFile, context: Context): readonly AppOperation[] {
  const { reading } = context;
  const seen = new Map<string, { readonly at: Spot; readonly path: string }>();
  const operations: AppOperation[] = [];
  for (const row of read.paths?.value ?? []) {
    const template = checkTemplate(row.key.text);
    if (!template.ok) {
      reading.error(row.key, `The path ${quoted(row.key.text)} ${template.message}`);
      continue;
    }
    for (const [method, operation] of verbsOf(row)) {
      const key = `${method} ${templateShape(template.path)}`;
      const first = seen.get(key);
      if (first === undefined) seen.set(key, { at: operation.key, path: template.path });
      else refuseSecond(method, template.path, operation.key, first, reading);
      const made = operationOf(template.path, method, operation, read, context);
      if (made !== undefined) operations.push(made);
    }
  }
  return operations;
}

function refuseSecond(method: Method, path: string, at: Spot, first: { readonly at: Spot; readonly path: string }, reading: Reading): void {
  const { line } = reading.placeOf(first.at);
  if (path === first.path) reading.error(at, `The operation ${method} ${path} is there twice`, `It stands first on line ${line}; keep one`);
  else
    reading.error(
      at,
      `${method} ${path} matches the same requests as ${method} ${first.path}`,
      `The other stands on line ${line}; keep one`,
    );
}

function verbsOf(row: Row<ReadPathItem>): readonly (readonly [Method, Located<ReadOperation>])[] {
  return methods.flatMap((method) => {
    const operation = row.value[method.toLowerCase() as Lowercase<Method>];
    return operation === undefined ? [] : [[method, operation] as const];
  });
}

function operationOf(
  path: string,
  method: Method,
  operation: Located<ReadOperation>,
  read: ReadServiceFile,
  context: Context,
): AppOperation | undefined {
  const { inject, function: called, service, timeout, outtake, logstdout } = operation.value;
  refuseValidation(`${method} ${path}`, operation.value, read, context.reading);
  refuseSecondTimeout(operation.value, context.reading);
  const terms = { path, method, ...termsOf(operation, context.reading) };
  const appTimeoutMs = read.timeout?.value ?? defaults.timeoutMs;
  if (service !== undefined) {
    refuseProgramKeys(operation.value, "the service", context.reading);
    refuseServiceless(service, read, context.reading);
    return { kind: "service", ...terms, timeoutMs: timeout?.value ?? read.service?.value.timeout?.value ?? appTimeoutMs };
  }
  const timeoutMs = timeout?.value ?? inject?.value.timeout?.value ?? appTimeoutMs;
  if (called !== undefined) {
    refuseProgramKeys(operation.value, "a function", context.reading);
    const reference = functionOf(called, context);
    return reference && { kind: "function", ...terms, timeoutMs, function: reference };
  }
  const program = inject && injectOf(inject, read, context);
  return (
    program && {
      kind: "program",
      ...terms,
      timeoutMs,
      inject: program,
      replyPath: replyPathOf(outtake?.value ?? outtakeDefault),
      logStdout: logStdoutOf(logstdout?.value ?? true),
    }
  );
}

function termsOf({ value, key }: Located<ReadOperation>, reading: Reading): Omit<OperationTerms, "path" | "method" | "timeoutMs"> {
  const [validateIn, validateOut] = [value["validate-in"], value["validate-out"]];
  return {
    ...(validateIn ? { validateIn: validateIn.value, validateInPlace: reading.placeOf(validateIn.key) } : {}),
    validateOut: validateOut?.value ?? false,
    ...(validateOut ? { validateOutPlace: reading.placeOf(validateOut.key) } : {}),
    place: reading.placeOf(key),
  };
}

function refuseValidation(name: string, value: ReadOperation, read: ReadServiceFile, reading: Reading): void {
  for (const asked of [value["validate-in"], value["validate-out"]]) {
    if (asked?.value && !read.given.has("openapi"))
      reading.error(asked.key, `Cannot validate ${name}: the app has no contract`, "Add `openapi:` with the contract's file");
  }
}

function refuseSecondTimeout({ timeout, inject }: ReadOperation, reading: Reading): void {
  const other = inject?.value.timeout;
  if (timeout === undefined || other === undefined) return;
  const { line } = reading.placeOf(other.key);
  reading.error(timeout.key, "The operation has two timeouts", `The other stands in its \`inject\` on line ${line}; keep one`);
}

/** A function returns its reply, a daemon sends it, and what they print is always logged. */
function refuseProgramKeys({ outtake, logstdout }: ReadOperation, handler: string, reading: Reading): void {
  for (const key of [outtake?.key, logstdout?.key]) {
    if (key?.kind === "text") reading.error(key, `"${key.text}" is for programs, and ${handler} serves this operation`, "Take it out");
  }
}

function refuseServiceless({ key }: Located<true>, read: ReadServiceFile, reading: Reading): void {
  if (read.given.has("service")) return;
  reading.error(
    key,
    "The operation is the service's, and the app has none",
    "Add `service:` at the top with a `cmd:`, or give it another handler",
  );
}

function logStdoutOf(word: boolean | "header"): "always" | "never" | "header" {
  if (word === "header") return "header";
  return word ? "always" : "never";
}
