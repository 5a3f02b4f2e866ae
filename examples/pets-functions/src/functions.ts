/** The pet shop: each export serves the operation of openapi.yaml that has its name. What gets here has passed the contract. */
import { type Handler, HttpError } from "urocket";
import type { operations } from "./openapi.ts"; // written by `urocket types`
import * as store from "./store.ts";

export const listPets: Handler<operations["listPets"]> = async ({ query }) => await store.listPets(query);

export const addPet: Handler<operations["addPet"]> = async ({ body }, ctx) => {
  const pet = await store.addPet(body);
  ctx.log.info("added a pet", { id: pet.id });
  return { status: 201, headers: { Location: `/pets/${pet.id}` }, body: pet };
};

export const showPet: Handler<operations["showPet"]> = async ({ params }) => (await store.readPet(params.petId)) ?? noSuchPet(params.petId);

export const deletePet: Handler<operations["deletePet"]> = async ({ params }) => {
  if (!(await store.removePet(params.petId))) noSuchPet(params.petId);
};

function noSuchPet(id: number): never {
  throw new HttpError(404, { title: "No such pet", detail: `There is no pet with id ${id}` });
}
