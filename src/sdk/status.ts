/** Statuses of final responses in IANA's HTTP status code registry, as types: what a contract's `default` and `4XX` stand for. */

export type Status = Success | Redirection | ClientError | ServerError;

/** Of "2XX", as contracts write ranges. */
export type StatusInRange<Range extends string> =
  Uppercase<Range> extends "2XX"
    ? Success
    : Uppercase<Range> extends "3XX"
      ? Redirection
      : Uppercase<Range> extends "4XX"
        ? ClientError
        : Uppercase<Range> extends "5XX"
          ? ServerError
          : never;

type Success = 200 | 201 | 202 | 203 | 204 | 205 | 206 | 207 | 208 | 226;
type Redirection = 300 | 301 | 302 | 303 | 304 | 305 | 307 | 308;
type ClientError =
  | 400
  | 401
  | 402
  | 403
  | 404
  | 405
  | 406
  | 407
  | 408
  | 409
  | 410
  | 411
  | 412
  | 413
  | 414
  | 415
  | 416
  | 417
  | 418
  | 421
  | 422
  | 423
  | 424
  | 425
  | 426
  | 428
  | 429
  | 431
  | 451;
type ServerError = 500 | 501 | 502 | 503 | 504 | 505 | 506 | 507 | 508 | 510 | 511;
