/**
 * What a cold start in a container is compared with: the same greeting printed by a program in a container that crun or runc is told
 * to run, with the runtime's own default configuration (`runc spec`): namespaces, a read-only root, no seccomp, a network without links.
 */
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildFolder } from "../measure/build-folder.ts";
import type { Ground } from "../process/ground.ts";
import { findTool } from "../process/own-network.ts";
import { runtimes, type Runtime } from "./containers.ts";
import { greeting, type Start } from "./starts.ts";

interface Mount {
  readonly destination: string;
  readonly type: string;
  readonly source: string;
  readonly options: readonly string[];
}

/** The part of an OCI configuration that is changed here: github.com/opencontainers/runtime-spec, config.md. */
interface Configuration {
  readonly process: object;
  readonly mounts: readonly Mount[];
}

interface Bundle {
  readonly name: string;
  readonly argv: readonly string[];
  readonly prints: string;
  readonly binds: readonly Mount[];
}

/**
 * @param script what a Bun prints the greeting by.
 * @throws when no bundle can be made.
 */
export function prepareRawContainers(ground: Ground, script: string): readonly Start[] {
  const prefix = hideUnified(ground);
  const folder = join(ground.folder, "raw-program");
  mkdirSync(folder, { recursive: true });
  copyFileSync(join(buildFolder, "answer-static"), join(folder, "answer"));
  copyFileSync(script, join(folder, "script.js"));
  const system = ["/usr", "/bin", "/lib", "/lib64"].filter((path) => existsSync(path)).map((path) => bind(path, path));
  const program = bind(folder, "/program");
  const bundles: readonly Bundle[] = [
    { name: "static C program", argv: ["/program/answer"], prints: "hello\n", binds: [program] },
    {
      name: "bun, a small function",
      argv: ["/bun", "--no-env-file", "--no-install", "--config=/dev/null", "/program/script.js"],
      prints: greeting,
      binds: [...system, bind(process.execPath, "/bun"), program],
    },
  ];
  return runtimes.flatMap((runtime) => bundles.map((bundle) => toStart(ground, runtime, bundle, runtime === "crun" ? prefix : [])));
}

function toStart(ground: Ground, runtime: Runtime, { name, argv, prints, binds }: Bundle, prefix: readonly string[]): Start {
  const id = `bench-${runtime}-${name.replaceAll(/[^a-z]+/gi, "-")}-${process.pid}`;
  const folder = join(ground.folder, id);
  const tool = findTool(runtime) ?? runtime;
  mkdirSync(join(folder, "rootfs"), { recursive: true });
  const made = Bun.spawnSync([findTool("runc") ?? "runc", "spec", "--bundle", folder]);
  if (!made.success) throw new Error(`Cannot make a bundle: ${made.stderr.toString().trim()}`);
  const file = join(folder, "config.json");
  const standard = JSON.parse(readFileSync(file, "utf8")) as Configuration;
  const configuration = {
    ...standard,
    process: { ...standard.process, terminal: false, args: argv },
    mounts: [...binds, ...standard.mounts],
  };
  writeFileSync(file, JSON.stringify(configuration));
  const run = [tool, "--root", join(folder, "state"), "run", "--bundle", folder, id];
  return { name: `${runtime} run, ${name}`, argv: [...prefix, ...run], prints };
}

function bind(source: string, destination: string): Mount {
  return { source, destination, type: "none", options: ["rbind", "ro"] };
}

/** crun refuses machines with control groups of both versions: it is run where one of them is not to be seen. */
function hideUnified(ground: Ground): readonly string[] {
  const unified = "/sys/fs/cgroup/unified";
  if (!readFileSync("/proc/self/mountinfo", "utf8").includes(` ${unified} `)) return [];
  const ready = join(ground.folder, "unified-hidden");
  const words = `umount ${unified} && touch ${ready} && exec sleep 3600`;
  const { pid } = ground.start("mount-namespace", [
    findTool("unshare") ?? "unshare",
    "--mount",
    "--propagation",
    "slave",
    "sh",
    "-c",
    words,
  ]);
  for (let tries = 0; !existsSync(ready); tries++) {
    if (tries > 500) throw new Error(`Cannot hide ${unified} from crun`);
    Bun.sleepSync(10);
  }
  return [findTool("nsenter") ?? "nsenter", `--mount=/proc/${pid}/ns/mnt`];
}
