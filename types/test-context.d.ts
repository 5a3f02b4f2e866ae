/** The context that tests call functions with: it keeps what is logged and noted, and its signal is the test's to abort. */
import type { Context, Logger, Span } from "./context.js";
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
export declare class TestContext implements Context {
    #private;
    readonly requestId: string;
    readonly deadline: number;
    readonly instance: string;
    readonly operation: string;
    readonly client: string | undefined;
    readonly span: TestSpan;
    readonly log: Logger;
    /** What has been logged, in order. */
    readonly logged: readonly LoggedLine[];
    constructor(options?: TestContextOptions);
    get signal(): AbortSignal;
    readonly secret: (name: string) => string;
    /** Gives the call up, as the host does at the deadline (the default reason) and when the client leaves. */
    abort(reason?: unknown): void;
}
export declare class TestSpan implements Span {
    readonly traceId: string;
    readonly spanId: string;
    readonly traceparent: string;
    readonly attributes: Map<string, string | number | boolean>;
    readonly events: string[];
    readonly setAttribute: (name: string, value: string | number | boolean) => void;
    readonly addEvent: (name: string) => void;
}
