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
/** Undefined: a stream, or nothing is known. */
export declare function madeOf(response: Response): MadeOf | undefined;
/**
 * The bytes of a Response that is `whole`; it is used up then, as by its own `bytes()`.
 * @throws TypeError when its body was used already.
 */
export declare function takeBytes(response: Response): Uint8Array;
/** Has Responses be noted from now on. Modules that have the constructor already keep it. */
export declare function noteResponses(): void;
