/** What `import … from "urocket"` means to an author: the files of this urocket's SDK. */
import { fileURLToPath } from "node:url";

/** Their folder. */
export const ownFolder = fileURLToPath(new URL("../sdk/", import.meta.url));
const sdk = (name: string): string => ownFolder + name;

/** Specifier → file. */
export const ownFiles: Readonly<Record<string, string>> = {
  urocket: sdk("urocket.ts"),
  "urocket/testing": sdk("testing.ts"),
};
