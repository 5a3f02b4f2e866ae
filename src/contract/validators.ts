/**
 * Validators of a contract's schemas, each compiled when it is first used and kept. Checking and explaining are apart:
 * a valid value costs one pass that stops at the first fault, and only a faulty one is gone through again for all of them.
 */
import { Ajv2020 } from "ajv/dist/2020.js";
import type { Ajv, ErrorObject, Options, ValidateFunction } from "ajv";
import ajvFormats from "ajv-formats";
import { Converter, type Dialect, type Direction, type Pool, type Purpose } from "./dialect.ts";
import { compilePattern, type Documents } from "./documents.ts";
import { entriesOf, member } from "./json.ts";
import { addKeywords, fitsFormat } from "./keywords.ts";

/** Schemas that are compiled into one validator at once; what lies beyond is compiled when a value gets there. */
export const schemasCompiledAtOnceMax = 60;
/** The same for their properties, which is what compiling takes its time for. */
export const propertiesCompiledAtOnceMax = 200;

/** A verdict: no errors, and the value is fine; "too-deep" when it is nested too deeply to be looked at. */
export type Verdict = readonly ErrorObject[] | "too-deep";
const fine: Verdict = [];

/** Judges values by one schema in one direction. */
export interface Checker {
  accepts(value: unknown): boolean | "too-deep";
  /**
   * All that is wrong with a value. `exact`: it holds bigints. `firstOnly`: tell no more than the first fault, for
   * values so large that all of them could be millions.
   */
  judge(value: unknown, options?: { readonly exact?: boolean; readonly firstOnly?: boolean }): Verdict;
}

export class Validators {
  readonly #documents: Documents;
  readonly #dialect: Dialect;
  readonly #pools = new Map<string, SchemaPool>();
  readonly #checkers: Record<Direction, Map<unknown, Checker>> = { request: new Map(), reply: new Map() };

  constructor(documents: Documents, dialect: Dialect) {
    this.#documents = documents;
    this.#dialect = dialect;
  }

  /** The checker of a schema. Nothing is compiled before it is used. */
  checker(schema: unknown, direction: Direction): Checker {
    const known = this.#checkers[direction].get(schema);
    if (known) return known;
    const checker = new PooledChecker((purpose) => this.#pool(direction, purpose).validator(schema));
    this.#checkers[direction].set(schema, checker);
    return checker;
  }

  #pool(direction: Direction, purpose: Purpose): SchemaPool {
    const name = `${direction} ${purpose}`;
    let pool = this.#pools.get(name);
    if (!pool) {
      pool = new SchemaPool(this.#documents, this.#dialect, direction, purpose);
      this.#pools.set(name, pool);
    }
    return pool;
  }
}

class PooledChecker implements Checker {
  readonly #compile: (purpose: Purpose) => ValidateFunction;
  #check: ValidateFunction | undefined;

  constructor(compile: (purpose: Purpose) => ValidateFunction) {
    this.#compile = compile;
  }

  accepts(value: unknown): boolean | "too-deep" {
    try {
      this.#check ??= this.#compile("check");
      return this.#check(value);
    } catch (error) {
      return tooDeep(error);
    }
  }

  judge(value: unknown, options: { readonly exact?: boolean; readonly firstOnly?: boolean } = {}): Verdict {
    if (options.exact === true) return this.#explain(value, "exact");
    const accepted = this.accepts(value);
    if (accepted === true) return fine;
    if (accepted === "too-deep") return accepted;
    const first = this.#check?.errors ?? [];
    if (options.firstOnly === true) return first;
    const all = this.#explain(value, "explain");
    return all.length > 0 ? all : first;
  }

  #explain(value: unknown, purpose: Purpose): Verdict {
    try {
      const validate = this.#compile(purpose);
      return validate(value) ? fine : (validate.errors ?? []);
    } catch (error) {
      return tooDeep(error);
    }
  }
}

function tooDeep(error: unknown): "too-deep" {
  if (error instanceof RangeError) return "too-deep";
  throw error;
}

interface Entry {
  readonly key: string;
  readonly schema: unknown;
  readonly optional: ReadonlySet<string>;
  added: boolean;
  validate?: ValidateFunction;
}

/** The schemas of one direction and purpose, by keys, in one Ajv. */
class SchemaPool implements Pool {
  readonly nativeAlternatives: boolean;
  readonly #ajv: Ajv;
  readonly #converter: Converter;
  readonly #bySchema = new Map<unknown, Entry[]>();
  readonly #byKey = new Map<string, Entry>();
  /** Entries that are to be compiled with the one at hand. */
  #growing: Entry[] = [];
  #growingProperties = 0;

  constructor(documents: Documents, dialect: Dialect, direction: Direction, purpose: Purpose) {
    const texts = [...documents.files.values()].map((file) => file.text);
    this.nativeAlternatives = texts.some((text) => text.includes("unevaluated"));
    this.#ajv = makeAjv(
      purpose,
      texts.some((text) => inheritedNames.test(text)),
    );
    addKeywords(this.#ajv, (key) => this.#compile(key));
    this.#converter = new Converter(documents, dialect, direction, purpose, this);
  }

  validator(schema: unknown): ValidateFunction {
    return this.#compile(this.key(schema, new Set()));
  }

  key(schema: unknown, optional: ReadonlySet<string>): string {
    return this.#entry(schema, optional).key;
  }

  keyWithin(schema: unknown, optional: ReadonlySet<string>): string | undefined {
    const entry = this.#entry(schema, optional);
    if (entry.added) return entry.key;
    const isFull = this.#growing.length >= schemasCompiledAtOnceMax || this.#growingProperties >= propertiesCompiledAtOnceMax;
    if (isFull && !this.nativeAlternatives) return undefined;
    this.#grow(entry);
    return entry.key;
  }

  #grow(entry: Entry): void {
    entry.added = true;
    this.#growing.push(entry);
    this.#growingProperties += entriesOf(member(entry.schema, "properties")).length;
  }

  #entry(schema: unknown, optional: ReadonlySet<string>): Entry {
    const entries = this.#bySchema.get(schema) ?? [];
    let entry = entries.find((one) => sameNames(one.optional, optional));
    if (!entry) {
      entry = { key: `s://s/${this.#byKey.size}`, schema, optional, added: false };
      entries.push(entry);
      this.#bySchema.set(schema, entries);
      this.#byKey.set(entry.key, entry);
    }
    return entry;
  }

  #compile(key: string): ValidateFunction {
    const entry = this.#byKey.get(key);
    if (!entry) throw new Error(`Cannot compile schema "${key}": it is not known`);
    if (entry.validate) return entry.validate;
    this.#growing = [];
    this.#growingProperties = 0;
    if (!entry.added) this.#grow(entry);
    // Grows while it is walked: a schema's references come after it.
    for (const next of this.#growing) this.#ajv.addSchema(this.#converter.convert(next.schema, next.optional), next.key);
    this.#growing = [];
    const validate = this.#ajv.getSchema(key);
    if (!validate) throw new Error(`Cannot compile schema "${key}": it is not there`);
    entry.validate = validate as ValidateFunction;
    return entry.validate;
  }
}

function sameNames(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return a.size === b.size && a.isSubsetOf(b);
}

/** Names that every object inherits: a contract that uses one needs own properties looked at, which costs a little. */
const inheritedNames = /\b(constructor|toString|toLocaleString|valueOf|hasOwnProperty|isPrototypeOf|propertyIsEnumerable|__\w+__)\b/;

function makeAjv(purpose: Purpose, ownProperties: boolean): Ajv {
  const options: Options = {
    allErrors: purpose !== "check",
    strict: false,
    validateSchema: false,
    addUsedSchema: false,
    logger: false,
    messages: false,
    multipleOfPrecision: 9,
    ownProperties,
    code: { regExp },
  };
  const ajv = new Ajv2020(options);
  ajvFormats(ajv);
  for (const format of ["int32", "int64"])
    ajv.addFormat(format, { type: "number", validate: (value: number) => fitsFormat(format, value) });
  return ajv;
}

const regExp = Object.assign((pattern: string): RegExp => compilePattern(pattern) ?? /(?:)/, { code: "new RegExp" });
