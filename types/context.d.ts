/** What a function may ask of its call, beside what it was called with: its second argument. */
/** What a function may ask of its call. */
export interface Context {
    /** X-Request-Id of the response. Of a line: the connection's id. */
    readonly requestId: string;
    /** Aborts at the deadline, or when the client leaves. Its `reason` says which. */
    readonly signal: AbortSignal;
    /** When the call is given up, in Unix time (ms). */
    readonly deadline: number;
    readonly log: Logger;
    /** UUID of the instance, as in the response header X-Urocket-Instance. */
    readonly instance: string;
    /** "GET /pets", or the listener's name. */
    readonly operation: string;
    /** The client's address, where it is known. */
    readonly client: string | undefined;
    /**
     * The text of a secret that the service file names under `secrets`.
     * @throws Error when it does not.
     */
    secret(name: string): string;
    readonly span: Span;
}
/** Lines of the host's log, with the request's id and operation. Fields are JSON values. */
export interface Logger {
    debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
    info(message: string, fields?: Readonly<Record<string, unknown>>): void;
    warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
    error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}
/** The call's place in a distributed trace (W3C Trace Context), and what is noted on it. */
export interface Span {
    /** 32 hexadecimal digits: the client's trace, or a new one. */
    readonly traceId: string;
    /** 16 hexadecimal digits. */
    readonly spanId: string;
    /** For requests to others: a `traceparent` header. */
    readonly traceparent: string;
    /** At most 32; more are dropped. */
    setAttribute(name: string, value: string | number | boolean): void;
    /** At most 32; more are dropped. */
    addEvent(name: string): void;
}
