/** The runner's first frame: made by the runner, judged by the host. */
import packageFile from "../../package.json";
import type { HelloHead } from "./messages.ts";

export function helloOf(token: string, instance: string): HelloHead {
  return { token, instance, version: packageFile.version };
}

/**
 * What is wrong with a greeting, as the reason for which its link ends; undefined: nothing.
 * @param hello what came, unchecked; undefined when it was no `hello` at all.
 * @param expected what this host's own runner says.
 */
export function helloFault(hello: Partial<HelloHead> | undefined, expected: HelloHead): string | undefined {
  if (hello?.token !== expected.token || hello.instance !== expected.instance) return "somebody else than the runner greeted";
  if (hello.version === expected.version) return undefined;
  const other = String(hello.version).slice(0, 40);
  return `its runner is urocket ${other}, its host ${expected.version}: urocket was replaced while the host ran; restart the host`;
}
