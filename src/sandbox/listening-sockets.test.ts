import { expect, test } from "bun:test";
import { listeningAddresses, parseSocketTable } from "./listening-sockets.ts";

const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 111 1 0000000000000000 100 0 0 10 0
   1: 0200C90A:1F90 0100C90A:C001 01 00000000:00000000 00:00000000 00000000     0        0 222 1 0000000000000000 100 0 0 10 0
   2: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 333 1 0000000000000000 100 0 0 10 0
`;
const table6 = `  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000000000000:0BB8 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 444 1
   1: 00000000000000000000000001000000:0BB9 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 555 1
   2: B80D0120000000000000000001000000:0BBA 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 666 1
`;

test.skipIf(new Uint8Array(new Uint16Array([1]).buffer)[0] !== 1)("the kernel's tables are read: who listens, and whose it is", () => {
  expect(parseSocketTable(table, new Set(["111", "222"]))).toEqual([{ host: "127.0.0.1", port: 8080 }]);
  expect(parseSocketTable(table6, new Set(["444", "555", "666"]))).toEqual([
    { host: "::", port: 3000 },
    { host: "::1", port: 3001 },
    { host: "2001:db8::1", port: 3002 },
  ]);
  expect(parseSocketTable("", new Set(["111"]))).toEqual([]);
});

test("a process is found where it listens, and one that is gone nowhere", async () => {
  using mine = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => {} } });
  expect(listeningAddresses([process.pid])).toContainEqual({ host: "127.0.0.1", port: mine.port });
  const gone = Bun.spawn(["true"]);
  await gone.exited;
  expect(listeningAddresses([gone.pid])).toEqual([]);
});
