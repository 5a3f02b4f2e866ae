/** What the service file's checks and the runner both have to know of a program's arguments. */

/** Stands in an argument for the payload. */
export const payloadPlaceholder = "{{jsonpayload}}";

/** Bytes of one argument, or of one NAME=value of the environment, without its NUL: MAX_ARG_STRLEN of execve(2), 32 pages. */
export const argumentBytesMax = 131_071;

/** Stand in an argument of a daemon for where it is to listen. */
export const portPlaceholder = "{{port}}";
export const hostPlaceholder = "{{host}}";
