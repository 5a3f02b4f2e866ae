/**
 * One operation of a contract. What it needs to read requests is put together when the first request comes, and its
 * validators are compiled when they first have something to judge.
 */
import type { ContractOperation, ReadRequest, ReplyParts, RequestParts, Violation } from "./contract.ts";
import { RequestBody } from "./body.ts";
import type { Documents } from "./documents.ts";
import { isRecord, member, textOf } from "./json.ts";
import { declareParameters, ParameterSet } from "./parameters.ts";
import { Replies } from "./reply.ts";
import { violationsMax } from "./violations.ts";
import type { Validators } from "./validators.ts";

/** Where an operation stands in its documents. */
export interface OperationSource {
  readonly documents: Documents;
  readonly validators: Validators;
  readonly path: string;
  readonly method: string;
  readonly pathItem: unknown;
  readonly operation: unknown;
}

const templateName = /\{([^{}]*)\}/g;

/** The names in a path template, in order. */
export function namesInTemplate(path: string): readonly string[] {
  return [...path.matchAll(templateName)].map((match) => match[1] ?? "");
}

export class DocumentOperation implements ContractOperation {
  readonly path: string;
  readonly method: string;
  readonly operationId?: string;
  readonly pathParameters: readonly string[];
  readonly #source: OperationSource;
  #parameters: ParameterSet | undefined;
  #body: RequestBody | undefined;
  #replies: Replies | undefined;

  constructor(source: OperationSource) {
    this.#source = source;
    this.path = source.path;
    this.method = source.method;
    this.pathParameters = namesInTemplate(source.path);
    const id = textOf(member(source.operation, "operationId"));
    if (id !== undefined) this.operationId = id;
  }

  readRequest(request: RequestParts, options: { readonly validate: boolean }): ReadRequest {
    const body = this.#bodyReader().read(request, options.validate);
    if (!body.ok && body.kind === "unsupported-media-type") return body;
    const parameters = this.#parameterSet().read(request, options.validate);
    if (parameters.violations.length > 0 || !body.ok) {
      const errors = [...parameters.violations, ...(body.ok ? [] : body.errors)];
      return { ok: false, kind: "invalid-request", errors: errors.slice(0, violationsMax) };
    }
    const { values, located } = parameters;
    return body.body === undefined
      ? { ok: true, parameters: values, located, bodyForm: body.form }
      : { ok: true, parameters: values, located, body: body.body, bodyForm: body.form };
  }

  checkReply(reply: ReplyParts): readonly Violation[] {
    const violations = this.#replyChecker().check(reply, this.method === "HEAD");
    return violations.length > violationsMax ? violations.slice(0, violationsMax) : violations;
  }

  replyMediaType(status: number): string | undefined {
    return this.#replyChecker().mediaType(status);
  }

  replyMediaTypes(): Readonly<Record<string, string>> {
    return this.#replyChecker().mediaTypes();
  }

  canProduce(accept: string): boolean {
    return this.#replyChecker().canProduce(accept);
  }

  takesMediaType(contentType: string): boolean {
    return this.#bodyReader().takes(contentType);
  }

  isOpaque(contentType: string | null): boolean {
    return this.#bodyReader().isOpaque(contentType);
  }

  #parameterSet(): ParameterSet {
    const { documents, validators, pathItem, operation } = this.#source;
    this.#parameters ??= new ParameterSet(declareParameters(documents, validators, pathItem, operation, this.pathParameters));
    return this.#parameters;
  }

  #bodyReader(): RequestBody {
    const { documents, validators, operation } = this.#source;
    if (!this.#body) {
      const declared = documents.resolve(member(operation, "requestBody"));
      this.#body = new RequestBody(documents, validators, isRecord(declared) ? declared : undefined, this.#mayRequireBody());
    }
    return this.#body;
  }

  /** OpenAPI 3.0 ignores bodies where HTTP gives them no meaning (§4.7.10), and most clients cannot send one with GET. */
  #mayRequireBody(): boolean {
    const version = String(member(this.#source.documents.root.value, "openapi"));
    return !(version.startsWith("3.0") && (this.method === "GET" || this.method === "HEAD"));
  }

  #replyChecker(): Replies {
    const { documents, validators, operation } = this.#source;
    this.#replies ??= new Replies(documents, validators, member(operation, "responses"));
    return this.#replies;
  }
}
