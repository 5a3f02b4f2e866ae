/** The greeting of the other measures. */
export { hello } from "../functions/functions.ts";
