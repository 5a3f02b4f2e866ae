/**
 * What an instance's runner is told to serve: what the pool was told, in the words of the place where the runner is. Paths are the
 * host's until here. Pure.
 */
import type { LoadHead, ProgramSpec, ServiceSpec } from "../link/messages.ts";
import type { Confined } from "../sandbox/sandbox.ts";

/** The same for every instance. Paths are the host's; `service.port` is the one to use where no port is anybody else's. */
export type InstanceLoad = Omit<
  LoadHead,
  "instance" | "replySocket" | "siblings" | "memorySlots" | "memoryWatchedBytesMax" | "runnerLimited" | "service"
> & {
  readonly service?: Omit<ServiceSpec, "host" | "reach">;
};

export interface InstanceFolders {
  /** The instance's own, on the host. */
  readonly own: string;
  /** Where the app's instances have theirs. */
  readonly all: string;
}

/** Variables that hold a path of the host's. */
const pathVariables: ReadonlySet<string> = new Set(["UROCKET_SECRETS", "UROCKET_APP_DATA"]);
const loopback = "127.0.0.1";

type Entries = readonly (readonly [string, string])[];
type Inside = Confined["inside"];

export function loadOf(load: InstanceLoad, instance: string, folders: InstanceFolders, confined: Confined): LoadHead {
  const { runFolder, memorySlots, memoryWatchedBytesMax, runnerLimited } = confined;
  const { service, ...rest } = runFolder === undefined ? load : moved(load, (path) => confined.inside(path));
  return {
    ...rest,
    instance,
    replySocket: `${runFolder ?? folders.own}/reply.sock`,
    siblings: runFolder ?? folders.all,
    ...(memorySlots === undefined ? {} : { memorySlots }),
    ...(memoryWatchedBytesMax === undefined ? {} : { memoryWatchedBytesMax }),
    ...(runnerLimited === true ? { runnerLimited } : {}),
    ...(service === undefined ? {} : { service: serviceAt(service, confined) }),
  };
}

/** An instance that has no network of its own shares the host's ports: its runner finds a free one. */
function serviceAt({ port, ...service }: Omit<ServiceSpec, "host" | "reach">, { address, ownNetwork }: Confined): ServiceSpec {
  return {
    ...service,
    host: address === undefined ? loopback : "0.0.0.0",
    reach: address ?? loopback,
    ...(ownNetwork && port !== undefined ? { port } : {}),
  };
}

function moved(load: InstanceLoad, inside: Inside): InstanceLoad {
  const { programs, environment, functions, service } = load;
  return {
    ...load,
    programs: Object.fromEntries(Object.entries(programs).map(([key, program]) => [key, movedProgram(program, inside)])),
    environment: movedEnvironment(environment, inside),
    ...(functions === undefined
      ? {}
      : {
          functions: {
            ...functions,
            bundle: inside(functions.bundle),
            folder: inside(functions.folder),
            env: movedEntries(functions.env, inside),
            ...(functions.secrets === undefined ? {} : { secrets: inside(functions.secrets) }),
          },
        }),
    ...(service === undefined ? {} : { service: movedProgram(service, inside) }),
  };
}

function movedProgram<Program extends Pick<ProgramSpec, "argv" | "wd" | "env">>(program: Program, inside: Inside): Program {
  const [file, ...words] = program.argv;
  const argv: Program["argv"] = [file.startsWith("/") ? inside(file) : file, ...words];
  return { ...program, argv, wd: inside(program.wd), env: movedEntries(program.env, inside) };
}

function movedEntries(entries: Entries, inside: Inside): Entries {
  return entries.map(([name, value]) => [name, pathVariables.has(name) ? inside(value) : value]);
}

/** A root filesystem may have its programs in these; a PATH that leaves them out, as systemd's does, is right for the host's own alone. */
const rootFolders = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"] as const;

function movedEnvironment(environment: LoadHead["environment"], inside: Inside): LoadHead["environment"] {
  const { PATH: path } = environment;
  if (path === undefined) return environment;
  const folders = new Set([...path.split(":").map((folder) => inside(folder)), ...rootFolders]);
  return { ...environment, PATH: [...folders].join(":") };
}
