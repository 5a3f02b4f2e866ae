/** `listeners`: the sockets on which functions answer lines. */
import type { Listener } from "./app.ts";
import type { Context } from "./context.ts";
import { defaults } from "./description.ts";
import type { ReadListener, ReadServiceFile } from "./description.ts";
import { nameOfAddress } from "./listener-address.ts";
import { functionOf } from "./to-function.ts";
import { checkSocketPath } from "./to-socket.ts";
import type { Spot, Value } from "./value.ts";

export function listenersOf(read: ReadServiceFile, context: Context): readonly Listener[] {
  const seen = new Map<string, Spot>();
  return (read.listeners?.value ?? []).flatMap(({ value, at }) => {
    const listener = listenerOf(value, at, read, context);
    if (listener === undefined) return [];
    const first = seen.get(listener.name);
    // Of port 0 each gets another.
    if (first === undefined) seen.set(listener.name, at);
    else if (listener.at.kind === "unix" || listener.at.port !== 0) refuseSecond(listener, at, first, context);
    return [listener];
  });
}

function refuseSecond({ name }: Listener, at: Spot, first: Spot, { reading }: Context): void {
  const { line } = reading.placeOf(first);
  reading.error(at, `Two listeners want ${name}`, `The other stands on line ${line}; keep one, or give it another address`);
}

function listenerOf(value: ReadListener, at: Value, read: ReadServiceFile, context: Context): Listener | undefined {
  const address = addressOf(value, context);
  const called = value.function && functionOf(value.function, context);
  if (address === undefined || called === undefined) return undefined;
  return {
    ...address,
    framing: "lines",
    function: called,
    timeoutMs: value.timeout?.value ?? read.timeout?.value ?? defaults.timeoutMs,
    idleMs: value.idle?.value ?? defaults.listenerIdleMs,
    lineBytesMax: value.line?.value ?? defaults.lineBytesMax,
    connectionsMax: value["max-connections"]?.value ?? defaults.connectionsMax,
    place: context.reading.placeOf(at),
  };
}

function addressOf({ tcp, unix }: ReadListener, context: Context): Pick<Listener, "name" | "at"> | undefined {
  if (tcp !== undefined) return { name: nameOfAddress(tcp.value), at: { kind: "tcp", ...tcp.value } };
  if (unix === undefined) return undefined;
  const path = checkSocketPath(unix, context);
  return { name: `unix:${path}`, at: { kind: "unix", path } };
}
