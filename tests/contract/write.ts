/**
 * Writes values into requests as OpenAPI's styles and media types have it. Written from the specification, not from the
 * reader that it tests.
 */
import { isObject, textOr, type Json, type Judge } from "./judge.ts";

const encode = encodeURIComponent;

function text(value: unknown): string {
  return isObject(value) || Array.isArray(value) ? JSON.stringify(value) : String(value);
}

function pairsOf(value: Json): (readonly [string, unknown])[] {
  return Object.entries(value).filter(([, one]) => one !== undefined);
}

/** A path parameter. */
export function writePath(name: string, value: unknown, style: string, explode: boolean): string {
  const separator = style === "label" ? "." : style === "matrix" ? ";" : ",";
  const prefix = style === "label" ? "." : style === "matrix" ? ";" : "";
  const named = style === "matrix" ? `${name}=` : "";
  if (Array.isArray(value)) {
    if (!explode) return `${prefix}${named}${value.map((one) => encode(text(one))).join(",")}`;
    return `${prefix}${value.map((one) => `${named}${encode(text(one))}`).join(separator)}`;
  }
  if (isObject(value)) {
    if (explode)
      return `${prefix}${pairsOf(value)
        .map(([key, one]) => `${encode(key)}=${encode(text(one))}`)
        .join(separator)}`;
    return `${prefix}${named}${pairsOf(value)
      .flatMap(([key, one]) => [encode(key), encode(text(one))])
      .join(",")}`;
  }
  return `${prefix}${named}${encode(text(value))}`;
}

/** A query or cookie parameter; pieces that are joined by "&". */
export function writeForm(name: string, value: unknown, style: string, explode: boolean): string[] {
  const separator = style === "spaceDelimited" ? "%20" : style === "pipeDelimited" ? "|" : ",";
  if (Array.isArray(value))
    return explode
      ? value.map((one) => `${encode(name)}=${encode(text(one))}`)
      : [`${encode(name)}=${value.map((one) => encode(text(one))).join(separator)}`];
  if (isObject(value)) {
    if (style === "deepObject") return pairsOf(value).flatMap(([key, one]) => writeDeep(`${name}[${key}]`, one));
    if (explode)
      return pairsOf(value).flatMap(([key, one]) =>
        Array.isArray(one) ? one.map((item) => `${encode(key)}=${encode(text(item))}`) : [`${encode(key)}=${encode(text(one))}`],
      );
    return [
      `${encode(name)}=${pairsOf(value)
        .flatMap(([key, one]) => [encode(key), encode(text(one))])
        .join(separator)}`,
    ];
  }
  return [`${encode(name)}=${encode(text(value))}`];
}

function writeDeep(name: string, value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap((one) => writeDeep(name, one));
  if (isObject(value)) return pairsOf(value).flatMap(([key, one]) => writeDeep(`${name}[${key}]`, one));
  return [`${encode(name)}=${encode(text(value))}`];
}

/** A header parameter. */
export function writeHeader(value: unknown, explode: boolean): string {
  if (Array.isArray(value)) return value.map(text).join(",");
  if (isObject(value))
    return explode
      ? pairsOf(value)
          .map(([key, one]) => `${key}=${text(one)}`)
          .join(",")
      : pairsOf(value)
          .flatMap(([key, one]) => [key, text(one)])
          .join(",");
  return text(value);
}

/** An object as a form body. Objects within are JSON. */
export function writeFormBody(value: Json, encoding: unknown): string {
  return pairsOf(value)
    .flatMap(([name, one]) => {
      const own = isObject(encoding) && isObject(encoding[name]) ? encoding[name] : {};
      if (isObject(one) && own["style"] === undefined) return [`${encode(name)}=${encode(JSON.stringify(one))}`];
      return writeForm(name, one, textOr(own["style"], "form"), own["explode"] !== false);
    })
    .join("&");
}

/** An object as multipart/form-data. */
export function writeMultipart(value: Json, boundary: string, isBinary: (name: string) => boolean): string {
  const parts = pairsOf(value).flatMap(([name, one]) => (Array.isArray(one) ? one : [one]).map((item) => [name, item] as const));
  const written = parts.map(([name, one]) => {
    const file = isBinary(name)
      ? '; filename="file.bin"\r\nContent-Type: application/octet-stream'
      : isObject(one)
        ? "\r\nContent-Type: application/json"
        : "";
    return `--${boundary}\r\nContent-Disposition: form-data; name="${name}"${file}\r\n\r\n${text(one)}\r\n`;
  });
  return `${written.join("")}--${boundary}--\r\n`;
}

/** A value as XML, by its schema's `xml` objects. */
export function writeXml(judge: Judge, schema: unknown, value: unknown, name = "root"): string {
  const own = judge.resolve(schema);
  const xml = isObject(own) && isObject(own["xml"]) ? own["xml"] : {};
  return element(judge, own, value, textOr(xml["name"], name));
}

function escaped(value: string): string {
  return value.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}

function element(judge: Judge, schema: unknown, value: unknown, name: string): string {
  if (Array.isArray(value)) {
    const items = isObject(schema) ? judge.resolve(schema["items"]) : {};
    return `<${name}>${value.map((one) => element(judge, items, one, xmlName(items, name))).join("")}</${name}>`;
  }
  if (!isObject(value)) return `<${name}>${escaped(text(value))}</${name}>`;
  const properties = isObject(schema) && isObject(schema["properties"]) ? schema["properties"] : {};
  let attributes = "";
  let content = "";
  for (const [key, one] of pairsOf(value)) {
    const property = judge.resolve(properties[key]);
    const xml = isObject(property) && isObject(property["xml"]) ? property["xml"] : {};
    if (xml["attribute"] === true) attributes += ` ${xmlName(property, key)}="${escaped(text(one))}"`;
    else if (Array.isArray(one) && xml["wrapped"] !== true) {
      const items = isObject(property) ? judge.resolve(property["items"]) : {};
      content += one.map((item) => element(judge, items, item, xmlName(items, key))).join("");
    } else content += element(judge, property, one, xmlName(property, key));
  }
  return `<${name}${attributes}>${content}</${name}>`;
}

function xmlName(schema: unknown, otherwise: string): string {
  return isObject(schema) && isObject(schema["xml"]) && typeof schema["xml"]["name"] === "string" ? schema["xml"]["name"] : otherwise;
}
