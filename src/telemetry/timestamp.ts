/**
 * Dates of log lines. A date is asked for with every line, and most lines share their second, under load their millisecond, so
 * what does not change within it is kept.
 */

/** Unix time in ms → "2026-11-21T12:03:04.123Z" in UTC, or "12:03:04.123" in the machine's time zone. */
export type FormatTime = (unixMs: number) => string;

export function isoTimes(): FormatTime {
  return bySecond((unixMs) => new Date(unixMs).toISOString().slice(0, 20), "Z");
}

export function clockTimes(): FormatTime {
  return bySecond((unixMs) => {
    const date = new Date(unixMs);
    return `${[date.getHours(), date.getMinutes(), date.getSeconds()].map((part) => String(part).padStart(2, "0")).join(":")}.`;
  }, "");
}

function bySecond(prefixOf: (unixMs: number) => string, suffix: string): FormatTime {
  let second = Number.NaN;
  let prefix = "";
  let last = Number.NaN;
  let text = "";
  return (unixMs) => {
    if (unixMs === last) return text;
    const ms = unixMs % 1000;
    if (unixMs - ms !== second) {
      second = unixMs - ms;
      prefix = prefixOf(unixMs);
    }
    last = unixMs;
    return (text = `${prefix}${ms < 10 ? "00" : ms < 100 ? "0" : ""}${ms}${suffix}`);
  };
}
