/** Ports that the kernel gives to connections and to whoever listens on port 0. */
import { readFileSync } from "node:fs";

export interface PortRange {
  readonly from: number;
  readonly to: number;
}

/** Of this network namespace: ip(7), ip_local_port_range. */
export function ephemeralPorts(): PortRange {
  try {
    const [from = 0, to = 0] = readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "latin1").trim().split(/\s+/).map(Number);
    return { from, to };
  } catch {
    return { from: 32_768, to: 60_999 };
  }
}
