import { describe, expect, test } from "bun:test";
import { checkTemplate, requestPath, templateShape } from "./path-template.ts";

describe("a path template", () => {
  test.each([
    ["/pets", "/pets", []],
    ["pets", "/pets", []],
    ["/", "/", []],
    ["", "/", []],
    ["/pets/", "/pets/", []],
    ["/pets/{petId}/toys/{toy-id}", "/pets/{petId}/toys/{toy-id}", ["petId", "toy-id"]],
    ["/report.{format}", "/report.{format}", ["format"]],
    ["/{from}-{to}", "/{from}-{to}", ["from", "to"]],
    ["/a%20b/:c", "/a%20b/:c", []],
  ])("%p is %p with the parameters %p", (written, path, parameters) => {
    expect(checkTemplate(written)).toEqual({ ok: true, path, parameters });
  });

  test.each([
    ["/a//b", "has an empty segment (//)"],
    ["/a/../b", 'has the segment "..", which clients resolve before they ask'],
    ["/a/.", 'has the segment ".", which clients resolve before they ask'],
    ["/a/{", 'has a "{" without its "}"'],
    ["/a/}", 'has a "}" without its "{"'],
    ["/a/{b/c}", 'has a "{" without its "}"'],
    ["/{}", "has a parameter without a name: {}"],
    ["/{a b}", 'has a parameter whose name cannot be "a b"'],
    ["/{a{b}}", 'has a parameter whose name cannot be "a{b"'],
    ["/a b", 'has " ", which must be percent-encoded in a path'],
    ["/100%", 'has "%", which must be percent-encoded in a path'],
  ])("%p is refused: it %s", (written, message) => {
    expect(checkTemplate(written)).toEqual({ ok: false, message });
  });

  test.each(["/é/[x]", "/a?b=c", "/a#b", "/{a}{b}/{a}"])("%p is taken as documents write it", (written) => {
    expect(checkTemplate(written).ok).toBe(true);
  });

  test("is compared with requests without its query or fragment", () => {
    expect(["/a?b={c}", "/a#b", "/a/{b}"].map(requestPath)).toEqual(["/a", "/a", "/a/{b}"]);
  });

  test("has the same shape as one that differs in parameter names only", () => {
    expect(templateShape("/a/{x}/b.{y}")).toBe(templateShape("/a/{long-name}/b.{z}"));
    expect(templateShape("/a/{x}")).not.toBe(templateShape("/a/x"));
  });
});
