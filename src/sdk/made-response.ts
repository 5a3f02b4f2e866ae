/**
 * What a Response was made of. A Response tells its body as a stream alone, and reading a stream costs more than the rest of a
 * call; one that was made of text or bytes has them at hand. Bun does not tell the media type either that such a body gives its
 * Response (Fetch §5.2, "extract a body"). So a constructor takes the place of the global one that notes both.
 *
 * Responses stay Bun's own in every way: the prototype is the same, so that `instanceof`, subclasses and those that `fetch` gives
 * are as ever, and the note is in a private field, which nobody sees.
 */

/** What is known of a Response's body. */
export interface MadeOf {
  /** All of it is in memory. */
  readonly whole: boolean;
  /** What the body says of itself. */
  readonly mediaType?: string;
  /** What it is when nobody says more. */
  readonly otherwise: "text/plain" | "application/octet-stream";
}

const text: MadeOf = { whole: true, otherwise: "text/plain" };
const bytes: MadeOf = { whole: true, otherwise: "application/octet-stream" };
const form: MadeOf = { ...text, mediaType: "application/x-www-form-urlencoded;charset=UTF-8" };
const blob: MadeOf = { whole: false, otherwise: "application/octet-stream" };

type Body = ConstructorParameters<typeof Response>[0];

const BunResponse = globalThis.Response;
const prototype = BunResponse.prototype as Response;
const readBytes = Reflect.get(prototype, "bytes");
const cloneOf = Reflect.get(prototype, "clone") as (this: Response) => Response;

/** A class whose constructor gives what it is given: the fields of one that extends it are put on that. */
const Given = function (object: object): object {
  return object;
} as unknown as new (object: object) => object;

class Note extends Given {
  readonly #madeOf: MadeOf;

  constructor(response: Response, madeOf: MadeOf) {
    super(response);
    this.#madeOf = madeOf;
  }

  static of(response: object): MadeOf | undefined {
    return #madeOf in response ? response.#madeOf : undefined;
  }
}

/** Undefined: a stream, or nothing is known. */
export function madeOf(response: Response): MadeOf | undefined {
  return Note.of(response);
}

/**
 * The bytes of a Response that is `whole`; it is used up then, as by its own `bytes()`.
 * @throws TypeError when its body was used already.
 */
export function takeBytes(response: Response): Uint8Array {
  const taken: unknown = Bun.peek(readBytes.call(response));
  if (!(taken instanceof Uint8Array)) throw new TypeError("The Response's body cannot be read at once");
  return taken;
}

/** Has Responses be noted from now on. Modules that have the constructor already keep it. */
export function noteResponses(): void {
  if (globalThis.Response !== BunResponse) return;
  Object.defineProperty(globalThis, "Response", { value: NotedResponse, writable: true, enumerable: true, configurable: true });
  Object.assign(prototype, {
    constructor: NotedResponse,
    clone(this: Response): Response {
      return noted(cloneOf.call(this), Note.of(this));
    },
  });
}

/** A function and no class, whose prototype could not be Bun's. */
function NotedResponse(given?: Body, init?: ResponseInit): Response {
  if (new.target === undefined) throw new TypeError("Response is a constructor: call it with new");
  const body = given instanceof FormData ? multipart(given) : given;
  const response: Response =
    (new.target as unknown) === NotedResponse
      ? new BunResponse(body, init)
      : (Reflect.construct(BunResponse, [body, init], new.target) as Response);
  return noted(response, madeOfBody(body));
}

Object.defineProperties(NotedResponse, {
  name: { value: "Response" },
  length: { value: 0 },
  prototype: { value: prototype, writable: false },
});
Object.assign(NotedResponse, {
  json: (data: unknown, init?: ResponseInit) => noted(BunResponse.json(data, init), text),
  redirect: (url: string, init?: number | ResponseInit) => BunResponse.redirect(url, init as ResponseInit),
  error: () => BunResponse.error(),
});

function noted(response: Response, known: MadeOf | undefined): Response {
  if (known !== undefined) new Note(response, known);
  return response;
}

/** The form as it is sent: only so is its boundary known, which its media type names. */
function multipart(given: FormData): Blob | FormData {
  const whole: unknown = Bun.peek(new BunResponse(given).blob());
  return whole instanceof Blob ? whole : given;
}

function madeOfBody(body: unknown): MadeOf | undefined {
  if (typeof body !== "object" || body === null)
    return body === undefined || body === null || typeof body === "function" ? undefined : text;
  if (ArrayBuffer.isView(body) || body instanceof ArrayBuffer) return bytes;
  if (body instanceof URLSearchParams) return form;
  if (body instanceof Blob) return body.type === "" ? blob : { ...blob, mediaType: body.type };
  return undefined;
}
