/**
 * The pets, kept as files that several programs may use at once, because every request is a program of its own:
 *
 *     $PETS_DATA/pets/<id>.json    one pet; written under another name and linked into place, so nobody reads half of one
 *     $PETS_DATA/sequence/<id>     an empty file whose name is the next id
 *
 * There is no lock that a killed program could leave behind: each change is one system call that succeeds whole or
 * not at all.
 */
import { linkSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface NewPet {
  readonly name: string;
  readonly tag?: string;
}

export interface Pet extends NewPet {
  readonly id: number;
}

const data = process.env["PETS_DATA"] ?? "../data";
const petsFolder = join(data, "pets");
const sequenceFolder = join(data, "sequence");

/** Adds a pet under an id that no pet had before. */
export function addPet(wanted: NewPet): Pet {
  mkdirSync(petsFolder, { recursive: true });
  const pet = { id: takeId(), ...wanted };
  const draft = join(petsFolder, `.${pet.id}.draft`);
  writeFileSync(draft, `${JSON.stringify(pet)}\n`, { flush: true });
  // link refuses a name that exists, where rename would replace the pet that has it.
  linkSync(draft, petFile(pet.id));
  rmSync(draft);
  return pet;
}

/** The first `limit` pets in the order of their ids; only those with the tag, if one is given. */
export function listPets({ limit, tag }: { readonly limit: number; readonly tag?: string }): Pet[] {
  const found: Pet[] = [];
  for (const id of petIds()) {
    if (found.length === limit) break;
    const pet = readPet(id);
    if (pet !== undefined && (tag === undefined || pet.tag === tag)) found.push(pet);
  }
  return found;
}

function petIds(): number[] {
  return namesIn(petsFolder)
    .filter((name) => /^[0-9]+\.json$/.test(name))
    .map((name) => Number.parseInt(name, 10))
    .sort((one, other) => one - other);
}

/** A pet may be removed between being listed and being read: then there is none. */
function readPet(id: number): Pet | undefined {
  try {
    return JSON.parse(readFileSync(petFile(id), "utf8")) as Pet;
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  }
}

/** Of all programs that try to rename `7` to `8`, one succeeds: the 7 is its own. The others find no `7` and look again. */
function takeId(): number {
  startSequence();
  for (;;) {
    const id = Math.max(...namesIn(sequenceFolder).map(Number));
    // A folder that is read while its file is renamed may seem empty.
    if (!Number.isSafeInteger(id)) continue;
    try {
      renameSync(join(sequenceFolder, `${id}`), join(sequenceFolder, `${id + 1}`));
      return id;
    } catch (error) {
      if (!hasCode(error, "ENOENT")) throw error;
    }
  }
}

/** Makes the folder with its first file in one step: a folder cannot be renamed over one that is not empty. */
function startSequence(): void {
  const draft = join(data, `.sequence-${process.pid}`);
  if (namesIn(sequenceFolder).length > 0) return;
  mkdirSync(draft, { recursive: true });
  writeFileSync(join(draft, "1"), "");
  try {
    renameSync(draft, sequenceFolder);
  } catch (error) {
    if (!hasCode(error, "ENOTEMPTY") && !hasCode(error, "EEXIST")) throw error;
    rmSync(draft, { recursive: true });
  }
}

function petFile(id: number): string {
  return join(petsFolder, `${id}.json`);
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (hasCode(error, "ENOENT")) return [];
    throw error;
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
