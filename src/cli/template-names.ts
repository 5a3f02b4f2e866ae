/** The templates of `urocket init`. Kept apart, because the command tree names them and needs nothing else of that command. */
export const templateNames = ["functions", "scripts", "service", "tcp"] as const;
