/**
 * A port of the loopback for a daemon that shares its network with others. Between its finding and the daemon's listening
 * nobody holds it, so each is reserved among all runners of this network namespace, by a name that is as wide as ports are: an
 * abstract unix socket (unix(7)), which is gone with its runner. What else listens in between makes the daemon fail, and try another.
 */
import { ephemeralPorts, type PortRange } from "../sandbox/ephemeral-ports.ts";

/** A daemon's port. */
export interface ServicePort {
  readonly port: number;
  /** Others may have it from now on. */
  release(): void;
}

/** Below are ports that people give to servers of their own. */
const lowestPort = 10_240;
const highestPort = 65_535;
/** A range with fewer is passed over. */
const enoughPorts = 1000;
const triesMax = 200;

/** A free port; undefined: so many were tried, and none is. */
export function reservePort(range: PortRange = servicePorts(ephemeralPorts())): ServicePort | undefined {
  const count = range.to - range.from + 1;
  const start = Math.floor(Math.random() * count);
  for (let tried = 0; tried < Math.min(count, triesMax); tried++) {
    const port = range.from + ((start + tried) % count);
    const found = reserve(port);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Where ports for daemons are looked for: beside those that the kernel gives to connections, which may be in use at any moment. */
export function servicePorts(ephemeral: PortRange): PortRange {
  const below = { from: lowestPort, to: ephemeral.from - 1 };
  const above = { from: ephemeral.to + 1, to: highestPort };
  return [below, above].find(({ from, to }) => to - from + 1 >= enoughPorts) ?? { from: lowestPort, to: highestPort };
}

function reserve(port: number): ServicePort | undefined {
  const reservation = attempt(() => Bun.listen({ unix: `\0urocket-port-${port}`, socket }));
  if (reservation === undefined) return undefined;
  const trial = attempt(() => Bun.listen({ hostname: "127.0.0.1", port, socket }));
  trial?.stop(true);
  if (trial !== undefined) return { port, release: () => reservation.stop(true) };
  reservation.stop(true);
  return undefined;
}

/** Nobody is expected. */
const socket = { open: (one: { terminate(): void }) => one.terminate(), data: () => {} };

function attempt<Listener>(listen: () => Listener): Listener | undefined {
  try {
    return listen();
  } catch {
    // EADDRINUSE; or EACCES, where a machine keeps ports to itself.
    return undefined;
  }
}
