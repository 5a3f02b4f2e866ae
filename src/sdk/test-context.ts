/** The context that tests call functions with: it keeps what is logged and noted, and its signal is the test's to abort. */
import type { Context, Logger, Span } from "./context.ts";

/** What is to be different from the defaults. */
export interface TestContextOptions extends Partial<Omit<Context, "log" | "span" | "signal" | "secret">> {
  /** Values of secrets by their names. Others are refused, as those that the service file does not name are. */
  readonly secrets?: Readonly<Record<string, string>>;
}

/** A line of `ctx.log`. */
export interface LoggedLine {
  readonly level: keyof Logger;
  readonly message: string;
  readonly fields?: Readonly<Record<string, unknown>>;
}

export class TestContext implements Context {
  readonly requestId: string;
  readonly deadline: number;
  readonly instance: string;
  readonly operation: string;
  readonly client: string | undefined;
  readonly span: TestSpan = new TestSpan();
  readonly log: Logger;
  /** What has been logged, in order. */
  readonly logged: readonly LoggedLine[];
  readonly #controller = new AbortController();
  readonly #secrets: ReadonlyMap<string, string>;

  constructor(options: TestContextOptions = {}) {
    this.requestId = options.requestId ?? "00000000-0000-4000-8000-000000000001";
    this.instance = options.instance ?? "00000000-0000-4000-8000-000000000002";
    this.deadline = options.deadline ?? Date.now() + 30_000;
    this.operation = options.operation ?? "GET /";
    this.client = options.client ?? "127.0.0.1";
    this.#secrets = new Map(Object.entries(options.secrets ?? {}));
    const logged: LoggedLine[] = [];
    const at =
      (level: LoggedLine["level"]): Logger["info"] =>
      (message, fields) => {
        logged.push({ level, message, ...(fields === undefined ? {} : { fields }) });
      };
    this.logged = logged;
    this.log = { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  readonly secret = (name: string): string => {
    const value = this.#secrets.get(name);
    if (value === undefined) throw new Error(`Cannot read the secret "${name}": give it in testContext({ secrets: { ${name}: … } })`);
    return value;
  };

  /** Gives the call up, as the host does at the deadline (the default reason) and when the client leaves. */
  abort(reason: unknown = new DOMException("The deadline has passed", "TimeoutError")): void {
    this.#controller.abort(reason);
  }
}

export class TestSpan implements Span {
  readonly traceId: string = "0af7651916cd43dd8448eb211c80319c";
  readonly spanId: string = "b7ad6b7169203331";
  readonly traceparent: string = `00-${this.traceId}-${this.spanId}-01`;
  readonly attributes: Map<string, string | number | boolean> = new Map();
  readonly events: string[] = [];

  readonly setAttribute = (name: string, value: string | number | boolean): void => {
    this.attributes.set(name, value);
  };

  readonly addEvent = (name: string): void => {
    this.events.push(name);
  };
}
