/** What an app asks for that this machine cannot give it, before it is served here. */
import type { App } from "../config/app.ts";
import type { Diagnostic } from "../core/diagnostic.ts";
import { examineContainers } from "../sandbox/container-examine.ts";
import type { Finding } from "../sandbox/finding.ts";
import { limitsNotHeldHere } from "../sandbox/limits-examine.ts";
import { examineNetwork } from "../sandbox/network-examine.ts";
import { unreadableIn } from "./unreadable-app.ts";

/** Warnings: the app may be meant for another machine. */
export async function machineDoubts(app: App): Promise<readonly Diagnostic[]> {
  const findings = app.sandbox === "container" ? await examineFor(app) : [];
  const sentences = [...limitsNotHeldHere(app.limits, app.sandbox), ...(await unreadableIn(app))];
  return [
    ...(app.sandbox === "container" ? withoutBridge(app) : []),
    ...findings.filter(({ state }) => state === "missing").map((finding) => toWarning(finding, app)),
    ...sentences.map((message) => ({ severity: "warning", file: app.file, message }) as const),
  ];
}

function withoutBridge({ network, file }: App): readonly Diagnostic[] {
  if (network === "none" || process.geteuid?.() === 0) return [];
  const message = `"network: ${network}" is not held: containers of an ordinary user reach nothing but themselves`;
  return [{ severity: "warning", file, message, hint: "Run urocket as root, or write `network: none` if that is meant" }];
}

/** An app without a network needs no bridge. */
async function examineFor({ network }: App): Promise<readonly Finding[]> {
  const [containers, bridge] = await Promise.all([examineContainers(), network === "none" ? [] : examineNetwork()]);
  return [...containers, ...bridge];
}

function toWarning({ what, detail, fix }: Finding, { file }: App): Diagnostic {
  const message = `It cannot be served in containers on this machine: ${what}: ${detail}`;
  return { severity: "warning", file, message, ...(fix === undefined ? {} : { hint: fix }) };
}
