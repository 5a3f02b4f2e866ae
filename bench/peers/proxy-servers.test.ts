import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { Ground } from "../process/ground.ts";
import { startCaddy, startHaproxy, startNginx, type StartProxy } from "./proxy-servers.ts";

/** The configuration that it writes. Nothing is started, so it need not be installed. */
async function configurationOf(startProxy: StartProxy, template: string): Promise<string> {
  await using ground = new Ground();
  ground.start = () => ({ pid: 0, exited: Promise.resolve(0), complaint: () => "" });
  startProxy(ground, "peer", ["10.0.0.2:8080", "/run/daemon.sock"]);
  return readFileSync(`${ground.folder}/peer-${template}`, "utf8");
}

test("nginx is put before every server, by TCP and by unix sockets", async () => {
  const text = await configurationOf(startNginx, "nginx-proxy.conf");
  expect(text).toContain("server 10.0.0.2:8080;\n    server unix:/run/daemon.sock;");
});

test("haproxy is put before every server, in turn", async () => {
  const text = await configurationOf(startHaproxy, "haproxy.cfg");
  expect(text).toContain("balance roundrobin\n  server origin0 10.0.0.2:8080 ");
  expect(text).toContain("\n  server origin1 unix@/run/daemon.sock ");
});

test("caddy is put before every server, in turn", async () => {
  expect(await configurationOf(startCaddy, "Caddyfile")).toContain(
    "reverse_proxy 10.0.0.2:8080 unix//run/daemon.sock {\n\t\tlb_policy round_robin",
  );
});
