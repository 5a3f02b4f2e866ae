// Written by `urocket types` from ../openapi.yaml. Changes are overwritten: change the contract, and run it again.

export interface operations {
  /**
   * Greets
   * GET /hello/{name}
   */
  hello: {
    parameters: {
      path: {
        name: string;
      };
      query: {
        /**
         * How often
         * @default 1
         */
        times: number;
      };
    };
    responses: {
      /** The greeting */
      200: {
        content: {
          "application/json": {
            message: string;
          };
        };
      };
      /** What went wrong (RFC 9457) */
      404: {
        content: {
          "application/problem+json": {
            title: string;
            status: number;
            detail?: string;
          };
        };
      };
    };
  };
  /**
   * Adds numbers
   * POST /sum
   */
  sum: {
    requestBody: {
      content: {
        "application/json": {
          numbers: number[];
        };
      };
    };
    responses: {
      /** The sum */
      200: {
        content: {
          "application/json": {
            sum: number;
          };
        };
      };
    };
  };
  /**
   * Counts down, a number every second
   * GET /countdown/{from}
   */
  countDown: {
    parameters: {
      path: {
        from: number;
      };
    };
    responses: {
      /** Server-sent events */
      200: {
        content: {
          "text/event-stream": string;
        };
      };
    };
  };
}

export interface components {
  schemas: Record<string, never>;
}
