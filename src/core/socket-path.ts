/** Bytes of a unix socket's path without its NUL: sun_path of unix(7). */
export const socketPathBytesMax = 107;
