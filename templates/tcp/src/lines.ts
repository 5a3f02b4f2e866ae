/** A small line service: `help` tells what it knows. */
import { HttpError, type LineHandler } from "urocket";

/** Called with each line, without its end; what is returned goes back with a newline. Lines of one client come one at a time, in order. */
export const answer: LineHandler = (line, ctx) => {
  const [command = "", ...words] = line.trim().split(/\s+/);
  switch (command.toLowerCase()) {
    case "help":
      return "Ok: help, time, sum NUMBERS, reverse TEXT";
    case "time":
      return `Ok: ${new Date().toISOString()}`;
    case "sum":
      return `Ok: ${sum(words)}`;
    case "reverse":
      return `Ok: ${reverse(words.join(" "))}`;
    default:
      ctx.log.info("not understood", { command });
      return `Err: ${JSON.stringify(command)} is not a command; try help`;
  }
};

function sum(words: readonly string[]): number {
  const numbers = words.map(Number);
  const odd = words.find((_, at) => !Number.isFinite(numbers[at]));
  // The client is told "Err: " and this. Of anything else that is thrown it is told only that the function failed.
  if (odd !== undefined) throw new HttpError(400, `${JSON.stringify(odd)} is not a number`);
  return numbers.reduce((total, number) => total + number, 0);
}

function reverse(text: string): string {
  return [...new Intl.Segmenter().segment(text)]
    .map(({ segment }) => segment)
    .reverse()
    .join("");
}
