/**
 * The rules as they are in the kernel: brought there at the start, changed as instances join their apps and leave, and brought
 * there anew when somebody has emptied the machine's firewall ("nft flush ruleset", a restart of its service).
 */
import { CommandFailure, runCommand, runNft, toolPath } from "./network-commands.ts";
import { Gatherer } from "./network-gatherer.ts";
import {
  appScript,
  dropAppScript,
  joinScript,
  leaveScript,
  type RefusalHook,
  type RuledInstance,
  type RuledNetwork,
  tableScript,
} from "./network-rules.ts";

/** How long rules that somebody removed may be missing. */
const lookEveryMs = 10_000;
const changesMax = 256;
/** RFC 1035, as app names are: nothing else may come into a script. */
const appName = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

export interface Change {
  readonly kind: "join" | "leave";
  readonly app: string;
  readonly instance: RuledInstance;
}
/** Whether the rules are still there, and if not: anew. */
interface Look {
  readonly kind: "look";
}

export class Firewall implements AsyncDisposable {
  readonly #network: RuledNetwork;
  readonly #refusesAt: RefusalHook;
  /** Who is in which app, as the kernel knows it. */
  #members: Members = new Map();
  readonly #work = new Gatherer<Change | Look, void>((work) => this.#apply(work), changesMax);
  readonly #looking: ReturnType<typeof setInterval>;

  private constructor(network: RuledNetwork, refusesAt: RefusalHook, everyMs: number) {
    this.#network = network;
    this.#refusesAt = refusesAt;
    this.#looking = setInterval(() => void this.#work.do({ kind: "look" }).catch(() => undefined), everyMs);
    this.#looking.unref();
  }

  /**
   * @param everyMs how often it is looked whether the rules are still there.
   * @throws CommandFailure: there is a table of that name ("File exists"), or the kernel refuses.
   */
  static async open(network: RuledNetwork, everyMs = lookEveryMs): Promise<Firewall> {
    return new Firewall(network, await makeTable(network), everyMs);
  }

  join(app: string, instance: RuledInstance): Promise<void> {
    if (!appName.test(app)) return Promise.reject(new Error(`Cannot let an instance join the app "${app}": that is no app's name`));
    return this.#work.do({ kind: "join", app, instance });
  }

  leave(app: string, instance: RuledInstance): Promise<void> {
    return this.#work.do({ kind: "leave", app, instance });
  }

  /** Removes the rules, all of them. Never rejects. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#looking);
    await this.#work.idle();
    await runCommand([toolPath("nft"), "delete", "table", "inet", this.#network.bridge]).catch(() => "");
  }

  async #apply(work: readonly (Change | Look)[]): Promise<readonly void[]> {
    const { bridge } = this.#network;
    const changes = work.filter((one) => one.kind !== "look");
    const { members, script } = afterChanges(bridge, this.#members, changes);
    const whole = (): Promise<void> => runNft(wholeScript(this.#network, this.#refusesAt, members));
    if (changes.length < work.length && !(await this.#isThere())) await whole();
    else if (script !== "")
      await runNft(script).catch((error: unknown) => (error instanceof CommandFailure ? whole() : Promise.reject(error)));
    this.#members = members;
    return work.map(() => undefined);
  }

  async #isThere(): Promise<boolean> {
    const { bridge, owner } = this.#network;
    return await runCommand([toolPath("nft"), "list", "chain", "inet", bridge, owner]).then(
      () => true,
      () => false,
    );
  }
}

/** @returns where it refuses neighbours: kernels before Linux 5.9 take no table that does so before routing. */
async function makeTable(network: RuledNetwork): Promise<RefusalHook> {
  try {
    await runNft(tableScript(network, "prerouting"));
    return "prerouting";
  } catch (error) {
    if (!(error instanceof CommandFailure)) throw error;
    await runNft(tableScript(network, "forward"));
    return "forward";
  }
}

type Members = ReadonlyMap<string, ReadonlyMap<string, RuledInstance>>;

/** Pure: what changes of the rules, and who is in which app then. Leaving where one is not changes nothing. */
export function afterChanges(bridge: string, before: Members, changes: readonly Change[]): { members: Members; script: string } {
  const members = new Map([...before].map(([app, instances]) => [app, new Map(instances)]));
  const script: string[] = [];
  for (const { kind, app, instance } of changes) {
    const instances = members.get(app);
    if (kind === "join") {
      if (instances === undefined) script.push(appScript(bridge, app));
      members.set(app, (instances ?? new Map<string, RuledInstance>()).set(instance.address, instance));
      script.push(joinScript(bridge, app, instance));
    } else if (instances?.delete(instance.address) === true) {
      script.push(leaveScript(bridge, app, instance));
      if (instances.size > 0) continue;
      members.delete(app);
      script.push(dropAppScript(bridge, app));
    }
  }
  return { members, script: script.join("") };
}

/** Everything anew, whatever is there of ours, in one transaction. */
function wholeScript(network: RuledNetwork, refusesAt: RefusalHook, members: Members): string {
  const { bridge } = network;
  const apps = [...members].map(
    ([app, instances]) => appScript(bridge, app) + [...instances.values()].map((instance) => joinScript(bridge, app, instance)).join(""),
  );
  return `add table inet ${bridge}\ndelete table inet ${bridge}\n${tableScript(network, refusesAt)}${apps.join("")}`;
}
