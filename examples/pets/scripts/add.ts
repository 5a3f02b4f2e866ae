/** POST /pets. The payload comes on standard input: the body, which the contract has already been asked about. */
import { reply } from "./reply.ts";
import { addPet, type NewPet } from "./store.ts";

const wanted = (await Bun.stdin.json()) as NewPet;
const pet = addPet(wanted);
await reply(201, pet, { location: `/pets/${pet.id}` });
