// Written by `urocket types` from ../openapi.yaml. Changes are overwritten: change the contract, and run it again.

export interface operations {
  /**
   * The pets, in the order in which they were added
   * GET /pets
   */
  listPets: {
    parameters: {
      query: {
        /**
         * How many pets at the most
         * @default 20
         */
        limit: number;
        /** Only pets with this tag */
        tag?: Tag;
      };
    };
    responses: {
      /** The pets */
      200: {
        content: {
          "application/json": Pet[];
        };
      };
      /** What went wrong (RFC 9457) */
      default: {
        content: {
          "application/problem+json": Problem;
        };
      };
    };
  };
  /**
   * Adds a pet
   * POST /pets
   */
  addPet: {
    requestBody: {
      content: {
        "application/json": NewPet;
      };
    };
    responses: {
      /** The pet as it was added */
      201: {
        headers: {
          /** Where the pet is shown */
          Location: string;
        };
        content: {
          "application/json": Pet;
        };
      };
      /** What went wrong (RFC 9457) */
      default: {
        content: {
          "application/problem+json": Problem;
        };
      };
    };
  };
  /**
   * One pet
   * GET /pets/{petId}
   */
  showPet: {
    parameters: {
      path: {
        petId: number;
      };
    };
    responses: {
      /** The pet */
      200: {
        content: {
          "application/json": Pet;
        };
      };
      /** What went wrong (RFC 9457) */
      default: {
        content: {
          "application/problem+json": Problem;
        };
      };
    };
  };
  /**
   * Removes a pet
   * DELETE /pets/{petId}
   */
  deletePet: {
    parameters: {
      path: {
        petId: number;
      };
    };
    responses: {
      /** The pet is gone */
      204: Record<never, never>;
      /** What went wrong (RFC 9457) */
      default: {
        content: {
          "application/problem+json": Problem;
        };
      };
    };
  };
}

export type Tag = string;

export type NewPet = {
  name: string;
  tag?: Tag;
};

export type Pet = {
  id: number;
  name: string;
  tag?: Tag;
};

export type Problem = {
  type?: string;
  title: string;
  status: number;
  detail?: string;
};

export interface components {
  schemas: {
    Tag: Tag;
    NewPet: NewPet;
    Pet: Pet;
    Problem: Problem;
  };
}
