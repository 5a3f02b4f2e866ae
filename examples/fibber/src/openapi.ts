// Written by `urocket types` from ../openapi.yaml. Changes are overwritten: change the contract, and run it again.

export interface operations {
  /**
   * The n-th Fibonacci number, exactly
   * GET /fib/{n}
   */
  getFibonacci: {
    parameters: {
      path: {
        n: number;
      };
    };
    responses: {
      /** The number. It is text, because most have more digits than a JSON number is read with. */
      200: {
        content: {
          "application/json": {
            n: number;
            fibonacci: string;
          };
        };
      };
      /** It takes longer than a request may */
      503: {
        content: {
          "application/problem+json": {
            [name: string]: unknown;
          };
        };
      };
    };
  };
}

export interface components {
  schemas: Record<string, never>;
}
