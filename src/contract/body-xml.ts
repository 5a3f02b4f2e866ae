/**
 * XML bodies, converted to values by the `xml` objects of the contract's schema (§4.7.26): names, attributes, wrapped
 * lists. Namespace prefixes are ignored. Document types are refused, so there are no entities to expand.
 */
import { emptyRecord } from "../core/record.ts";
import { XMLParser, XMLValidator } from "fast-xml-parser";
import { bodyFault, type BodyValue } from "./body-value.ts";
import { decodeText } from "./body-text.ts";
import { isRecord, member, textOf } from "./json.ts";
import { readScalar, type Preference } from "./scalar.ts";
import type { Shape } from "./shape.ts";
import { holdsBigint, writable } from "./typed.ts";

const attributePrefix = "@";
const textName = "#text";
/** Elements within elements, at the most. */
export const xmlLevelsMax = 100;

const parser = new XMLParser({
  ignoreAttributes: false,
  attributeNamePrefix: attributePrefix,
  textNodeName: textName,
  removeNSPrefix: true,
  parseTagValue: false,
  parseAttributeValue: false,
  ignoreDeclaration: true,
  ignorePiTags: true,
  trimValues: false,
  maxNestedTags: xmlLevelsMax,
  // Numeric character references, too.
  htmlEntities: true,
});

/** Reads XML into a value of the schema's shape. */
export function readXmlBody(body: Uint8Array, charset: string | undefined, shape: Shape): BodyValue {
  const decoded = decodeText(body, charset);
  if (!decoded.ok) return decoded;
  if (/<!DOCTYPE/i.test(decoded.text)) return bodyFault("has a document type declaration, which is refused");
  const root = parse(decoded.text);
  if (typeof root === "string") return bodyFault(root);
  const wanted = textOf(member(shape.keyword("xml"), "name"));
  if (wanted !== undefined && wanted !== root.name && !shape.wants("array"))
    return bodyFault(`must be the XML element <${wanted}>, got <${root.name.slice(0, 60)}>`);
  const read = (preference: Preference): unknown => valueOf(root.content, shape, preference);
  const value = read("typed");
  if (holdsBigint(value)) return { ok: true, candidates: [value], exact: true, result: writable(value) };
  return { ok: true, candidates: [value, read("text")] };
}

interface Root {
  readonly name: string;
  readonly content: unknown;
}

/** The root element, or what is wrong with the text. */
function parse(text: string): Root | string {
  const valid = XMLValidator.validate(text);
  if (valid !== true) return `is not valid XML: ${valid.err.msg.replace(/\.$/, "")} at line ${valid.err.line}, column ${valid.err.col}`;
  let tree: unknown;
  try {
    tree = parser.parse(text);
  } catch (error) {
    return `is not valid XML: ${error instanceof Error ? error.message.slice(0, 200) : "cannot be parsed"}`;
  }
  const names = isRecord(tree) ? Object.keys(tree).filter((name) => name !== textName) : [];
  const [name] = names;
  return name === undefined || names.length > 1 ? "is not valid XML: it must have one root element" : { name, content: member(tree, name) };
}

/** An element's value: what the parser has of it is a string, an object of what is within, or a list of these. */
function valueOf(content: unknown, shape: Shape | undefined, preference: Preference): unknown {
  if (isNil(content)) return null;
  if (shape?.wants("array") && !shape.wants("object")) return itemsOf(content, shape, preference);
  if (shape?.wants("object") || (!shape?.types && hasMembers(content))) return objectOf(content, shape, preference);
  return readScalar(textWithin(content), shape, preference);
}

function isNil(content: unknown): boolean {
  return member(content, `${attributePrefix}nil`) === "true";
}

function hasMembers(content: unknown): boolean {
  return isRecord(content) && Object.keys(content).some((name) => name !== textName && !name.startsWith(attributePrefix));
}

function textWithin(content: unknown): string {
  if (typeof content === "string") return content;
  return textOf(member(content, textName)) ?? "";
}

function asList(content: unknown): readonly unknown[] {
  if (content === undefined) return [];
  return Array.isArray(content) ? content : [content];
}

/** The items of a list that has an element of its own around them. */
function itemsOf(content: unknown, shape: Shape, preference: Preference): unknown {
  if (!isRecord(content)) return [];
  const name = textOf(member(shape.items.keyword("xml"), "name"));
  const names = Object.keys(content).filter(
    (one) => one !== textName && !one.startsWith(attributePrefix) && (name === undefined || one === name),
  );
  return names.flatMap((one) => asList(content[one])).map((item) => valueOf(item, shape.items, preference));
}

function objectOf(content: unknown, shape: Shape | undefined, preference: Preference): unknown {
  const out = emptyRecord();
  const taken = new Set<string>([textName]);
  for (const property of shape?.propertyNames() ?? []) takeProperty(content, property, shape?.property(property), preference, taken, out);
  if (!isRecord(content)) return out;
  for (const [name, value] of Object.entries(content)) {
    if (taken.has(name) || name === `${attributePrefix}xmlns`) continue;
    const bare = name.startsWith(attributePrefix) ? name.slice(attributePrefix.length) : name;
    const inner = shape?.property(bare);
    out[bare] = Array.isArray(value) ? value.map((one) => valueOf(one, inner, preference)) : valueOf(value, inner, preference);
  }
  return out;
}

/** Finds one property's element, elements or attribute, and notes their names as taken. */
function takeProperty(
  content: unknown,
  property: string,
  shape: Shape | undefined,
  preference: Preference,
  taken: Set<string>,
  out: Record<string, unknown>,
): void {
  const xml = shape?.keyword("xml");
  const name = textOf(member(xml, "name")) ?? property;
  if (shape?.wants("array") && member(xml, "wrapped") !== true) {
    const candidates = [textOf(member(shape.items.keyword("xml"), "name")), property, name].filter((one) => one !== undefined);
    const found = candidates.find((one) => member(content, one) !== undefined);
    if (found === undefined) return;
    taken.add(found);
    out[property] = asList(member(content, found)).map((item) => valueOf(item, shape.items, preference));
    return;
  }
  const key = member(xml, "attribute") === true ? `${attributePrefix}${name}` : name;
  const value = member(content, key);
  if (value === undefined) return;
  taken.add(key);
  // An element given twice where one is wanted is shown to the validator as it is.
  out[property] = Array.isArray(value) ? value.map((one) => valueOf(one, shape, preference)) : valueOf(value, shape, preference);
}
