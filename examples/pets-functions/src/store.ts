/**
 * The pets, kept as files that several instances may use at once:
 *
 *     $PETS_DATA/pets/<id>.json    one pet; written under another name and linked into place, so nobody reads half of one
 *     $PETS_DATA/sequence/<id>     an empty file whose name is the next id
 *
 * There is no lock that a killed instance could leave behind: each change is one system call that succeeds whole or not at all.
 */
import { link, mkdir, open, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { NewPet, Pet } from "./openapi.ts";

const data = process.env["PETS_DATA"] ?? "data";
const petsFolder = join(data, "pets");
const sequenceFolder = join(data, "sequence");

/** Adds a pet under an id that no pet had before. */
export async function addPet(wanted: NewPet): Promise<Pet> {
  await mkdir(petsFolder, { recursive: true });
  const pet = { id: await takeId(), ...wanted };
  const draft = join(petsFolder, `.${pet.id}.draft`);
  await writeWhole(draft, `${JSON.stringify(pet)}\n`);
  // link refuses a name that exists, where rename would replace the pet that has it.
  await link(draft, petFile(pet.id));
  await rm(draft);
  return pet;
}

/** The first `limit` pets in the order of their ids; only those with the tag, if one is given. */
export async function listPets({ limit, tag }: { readonly limit: number; readonly tag?: string }): Promise<Pet[]> {
  const found: Pet[] = [];
  for (const id of await petIds()) {
    if (found.length === limit) break;
    const pet = await readPet(id);
    if (pet !== undefined && (tag === undefined || pet.tag === tag)) found.push(pet);
  }
  return found;
}

/** Undefined: there is none, or it has just been removed. */
export async function readPet(id: number): Promise<Pet | undefined> {
  try {
    return JSON.parse(await readFile(petFile(id), "utf8")) as Pet;
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  }
}

/** Whether there was one: of two that remove the same file, one succeeds. */
export async function removePet(id: number): Promise<boolean> {
  try {
    await rm(petFile(id));
    return true;
  } catch (error) {
    if (hasCode(error, "ENOENT")) return false;
    throw error;
  }
}

async function petIds(): Promise<number[]> {
  return (await namesIn(petsFolder))
    .filter((name) => /^[0-9]+\.json$/.test(name))
    .map((name) => Number.parseInt(name, 10))
    .sort((one, other) => one - other);
}

/** Of all that try to rename `7` to `8`, one succeeds: the 7 is its own. The others find no `7` and look again. */
async function takeId(): Promise<number> {
  await startSequence();
  for (;;) {
    const id = Math.max(...(await namesIn(sequenceFolder)).map(Number));
    // A folder that is read while its file is renamed may seem empty.
    if (!Number.isSafeInteger(id)) continue;
    try {
      await rename(join(sequenceFolder, `${id}`), join(sequenceFolder, `${id + 1}`));
      return id;
    } catch (error) {
      if (!hasCode(error, "ENOENT")) throw error;
    }
  }
}

/** Makes the folder with its first file in one step: a folder cannot be renamed over one that is not empty. */
async function startSequence(): Promise<void> {
  if ((await namesIn(sequenceFolder)).length > 0) return;
  const draft = join(data, `.sequence-${crypto.randomUUID()}`);
  await mkdir(draft, { recursive: true });
  await writeFile(join(draft, "1"), "");
  try {
    await rename(draft, sequenceFolder);
  } catch (error) {
    if (!hasCode(error, "ENOTEMPTY") && !hasCode(error, "EEXIST")) throw error;
    await rm(draft, { recursive: true });
  }
}

/** On the disk, not only on its way there, before anybody is told. */
async function writeWhole(path: string, text: string): Promise<void> {
  await using file = await open(path, "wx");
  await file.writeFile(text);
  await file.sync();
}

function petFile(id: number): string {
  return join(petsFolder, `${id}.json`);
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (hasCode(error, "ENOENT")) return [];
    throw error;
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
