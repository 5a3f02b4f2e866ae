/** The log of a host: its events as lines, JSON for machines or pretty for people, on one file descriptor. */
import { GatheredOutput } from "./gathered-output.ts";
import { connectionToJson, exchangesToJson, hostEventToJson, outputToJson } from "./json-lines.ts";
import type { LineBytes } from "./json-line.ts";
import { LineWriter } from "./line-writer.ts";
import {
  formatPrettyConnection,
  formatPrettyExchange,
  formatPrettyHostEvent,
  formatPrettyOutput,
  formatPrettyOutputBelow,
} from "./pretty-lines.ts";
import type { ConnectionReceipt, HostEvent, Log, OutputLine, Receipt } from "./receipt.ts";
import { clockTimes, isoTimes } from "./timestamp.ts";

export type LogFormat = "json" | "pretty";

export interface LogOptions {
  /** Where lines go. It stays open. */
  readonly fd: number;
  readonly format: LogFormat;
  /** Only for `pretty`. */
  readonly colours: boolean;
  /** Which requests have a line. Default: all. */
  readonly requests?: "all" | "failed";
  /** Only for `pretty`: whether a request's output is shown below the request's line, once that is there. Default false. */
  readonly gather?: boolean;
  /** Told of each line of output before it is shown; what it gives is shown in its place. Default: the line itself. */
  readonly annotate?: (line: OutputLine) => OutputLine;
  /** How long a line may wait before it is written. Default 200 ms for `json`, 20 ms for `pretty`. */
  readonly flushMs?: number;
  /** Bytes that may wait for a slow reader; lines beyond are dropped and counted. Default 4 MiB. */
  readonly waitingBytesMax?: number;
  /** Unix time in ms. Default `Date.now`. */
  readonly now?: () => number;
}

/** A `Log` that must be closed: writes what waits, bounded in time. */
export interface OpenLog extends Log, AsyncDisposable {
  /** Default `limitMs`: 1 s. */
  close(limitMs?: number): Promise<void>;
}

interface Formatter {
  exchange(receipt: Receipt): string | LineBytes;
  output(line: OutputLine): string;
  connection(receipt: ConnectionReceipt): string;
  host(event: HostEvent): string;
}

export function openLog(options: LogOptions): OpenLog {
  const { fd, format, waitingBytesMax, now = Date.now } = options;
  const formatter = format === "json" ? jsonFormatter(now) : prettyFormatter(now, options.colours);
  const writer = new LineWriter({
    fd,
    flushMs: options.flushMs ?? (format === "json" ? 200 : 20),
    ...(waitingBytesMax === undefined ? {} : { waitingBytesMax }),
    describeDropped: (count) => formatter.host(droppedEvent(count)),
  });
  const log =
    options.gather === true && format === "pretty" ? gatheringLog(options, formatter, writer) : plainLog(options, formatter, writer);
  return options.requests === "failed" ? withoutSuccesses(log) : log;
}

function withoutSuccesses(log: OpenLog): OpenLog {
  return {
    ...log,
    exchange: (receipt) => {
      if (receipt.status >= 400 || receipt.error !== undefined) log.exchange(receipt);
    },
  };
}

function plainLog({ annotate }: LogOptions, formatter: Formatter, writer: LineWriter): OpenLog {
  return {
    exchange: (receipt) => writer.append(formatter.exchange(receipt)),
    // A program that prints without end must not cost the lines of exchanges.
    output: (line) => writer.append(formatter.output(annotate === undefined ? line : annotate(line)), "low"),
    connection: (receipt) => writer.append(formatter.connection(receipt)),
    host: (event) => writer.append(formatter.host(event)),
    close: (limitMs) => writer.close(limitMs),
    [Symbol.asyncDispose]: () => writer.close(),
  };
}

function gatheringLog(options: LogOptions, formatter: Formatter, writer: LineWriter): OpenLog {
  const { colours, annotate = (line) => line } = options;
  const gathered = new GatheredOutput((line) => writer.append(formatter.output(annotate(line)), "low"));
  const close = (limitMs?: number): Promise<void> => {
    gathered.close();
    return writer.close(limitMs);
  };
  return {
    ...plainLog(options, formatter, writer),
    exchange: (receipt) => {
      writer.append(formatter.exchange(receipt));
      for (const line of gathered.take(receipt.exchangeId)) writer.append(formatPrettyOutputBelow(annotate(line), colours), "low");
    },
    output: (line) => gathered.add(line),
    close,
    [Symbol.asyncDispose]: () => close(),
  };
}

function droppedEvent(count: number): HostEvent {
  const message = `${count} log line${count === 1 ? " was" : "s were"} dropped, because they could not be written in time`;
  return { level: "warn", event: "log-dropped", message, fields: { count } };
}

function jsonFormatter(now: () => number): Formatter {
  const time = isoTimes();
  const exchangeToJson = exchangesToJson();
  return {
    exchange: (receipt) => exchangeToJson(receipt, time(now())),
    output: (line) => outputToJson(line, time(now())),
    connection: (receipt) => connectionToJson(receipt, time(now())),
    host: (event) => hostEventToJson(event, time(now())),
  };
}

function prettyFormatter(now: () => number, colours: boolean): Formatter {
  const time = clockTimes();
  return {
    exchange: (receipt) => formatPrettyExchange(receipt, time(now()), colours),
    output: (line) => formatPrettyOutput(line, time(now()), colours),
    connection: (receipt) => formatPrettyConnection(receipt, time(now()), colours),
    host: (event) => formatPrettyHostEvent(event, time(now()), colours),
  };
}
