/** An app that all tests of a `describe` ask: made and served before the first of them, stopped and removed after the last. */
import { afterAll, beforeAll } from "bun:test";
import type { AppFolder } from "./app-folder.ts";
import { type ServeOptions, type Serving, serve } from "./serving.ts";

/** From the first test on. */
export interface ServedApp extends Omit<Serving, keyof AsyncDisposable> {
  readonly app: AppFolder;
}

/**
 * Declares the hooks of the `describe` that it is called in.
 * @param make the app, when it is needed.
 */
export function servedApp(make: () => AppFolder, options: ServeOptions = {}): ServedApp {
  let app: AppFolder | undefined;
  let host: Serving | undefined;
  beforeAll(async () => {
    app = make();
    host = await serve(app.folder, options);
  });
  afterAll(async () => {
    await host?.[Symbol.asyncDispose]();
    app?.[Symbol.dispose]();
  });
  const started = (): Serving => running(host);
  return {
    get app() {
      return running(app);
    },
    get url() {
      return started().url;
    },
    get port() {
      return started().port;
    },
    get pid() {
      return started().pid;
    },
    get log() {
      return started().log;
    },
    get exited() {
      return started().exited;
    },
    stderr: () => started().stderr(),
    logged: async (what, fits) => await started().logged(what, fits),
    exchange: async (requestId) => await started().exchange(requestId),
    said: async (pattern) => await started().said(pattern),
    signal: (name) => started().signal(name),
    processes: () => started().processes(),
    runners: () => started().runners(),
  };
}

function running<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new Error("A served app is there in tests and hooks only");
  return value;
}
