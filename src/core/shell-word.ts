/** A word as a shell takes it, quoted where it has to be: commands in messages can be copied as they stand. */
export function shellWord(word: string): string {
  return /^[\w@%+=:,./{}-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
