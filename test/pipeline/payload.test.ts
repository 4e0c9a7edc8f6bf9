import { expect, test } from "bun:test"
import { Schema } from "effect"
import fc from "fast-check"
import { invalidBody, isUrl, Payload, SendBody } from "../../src/pipeline/payload.ts"

const parses = (text: string): boolean => URL.canParse(text, "https://localhost")

const piece = fc.constantFrom(
  "https://",
  "http://",
  "HTTPS://",
  "//",
  "/",
  "\\",
  "example",
  "xn--",
  "xn--a",
  "a-",
  "-a",
  ".",
  "..",
  "com",
  "1",
  "256.256.256.256",
  ":",
  ":99999",
  "@",
  "[",
  "%",
  "%zz",
  "?",
  "#",
  " ",
  "\u0000",
  "ü",
  "q=1"
)

test("a URL is valid exactly when the URL parser accepts it", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.webUrl(),
        fc.array(piece, { maxLength: 9 }).map((all) => all.join("")),
        fc.string()
      ),
      (text) => {
        expect(isUrl(text)).toBe(parses(text))
      }
    ),
    { numRuns: 20_000 }
  )
})

test.each([
  ["https://example.com/", true],
  ["https://example.com", true],
  ["https://example.com?x", true],
  ["/path?x#y", true],
  ["", true],
  ["https://", false],
  ["https://exa mple.com/", false],
  ["https://xn--.com/", false],
  ["https://a.xn--/", false],
  ["https://example.com:99999/", false],
  ["//", false],
  ["/\\", false],
  ["https://1.2.3.400/", false]
])("%p is a valid URL: %p", (text, is) => {
  expect(isUrl(text)).toBe(is)
  expect(parses(text)).toBe(is)
})

const UUID = "b3bbdd7c-65a5-5855-b0f2-a30b6873e913"
const value = fc.oneof(
  fc.constantFrom<unknown>(
    UUID,
    UUID.toUpperCase(),
    "https://example.com/a?b=c",
    "/path",
    "",
    "x",
    "x".repeat(36),
    "x".repeat(101)
  ),
  fc.constantFrom<unknown>(0, 1, -1, 1.5, 99, 60_001, 1_700_000_000, "1700000000", Number.MAX_VALUE, true, false, null),
  fc.constantFrom<unknown>({}, { a: 1 }, [], ["a"], [{ a: 1 }], "http://[", "foo bar"),
  fc.json().map((text) => JSON.parse(text) as unknown)
)
const key = fc.oneof(
  fc.constantFrom(...Object.keys(Payload.fields)),
  fc.constantFrom("__proto__", "constructor", "toString", "hasOwnProperty", "other")
)
/** As parsed JSON: all keys are its own, whatever they are called. */
const object = (entries: ReadonlyArray<readonly [string, unknown]>): unknown =>
  JSON.parse(`{${entries.map(([name, of]) => `${JSON.stringify(name)}:${JSON.stringify(of)}`).join(",")}}`)
const payload = fc.oneof(
  {
    weight: 8,
    arbitrary: fc
      .array(fc.tuple(key, value), { maxLength: 6 })
      .map((entries) => object([["website", UUID], ...entries]))
  },
  { weight: 1, arbitrary: value }
)
const type = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom("event", "identify", "performance") },
  { weight: 1, arbitrary: value }
)
const body = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.tuple(type, payload).map(([type, payload]) =>
      object([
        ["type", type],
        ["payload", payload]
      ])
    )
  },
  { weight: 1, arbitrary: value }
)

test("a body is valid exactly when the schema accepts it and it names one source", () => {
  const conforms = Schema.is(SendBody)
  let taken = 0
  fc.assert(
    fc.property(body, (body) => {
      const expected =
        conforms(body) &&
        ["website", "link", "pixel"].filter((name) => body.payload[name as "website"] !== undefined).length === 1
      expect(invalidBody(body) === null).toBe(expected)
      if (expected) taken++
    }),
    { numRuns: 5_000, seed: 20_261_124 }
  )
  expect(taken).toBeWithin(500, 4_500)
})
