import { expect, test } from "bun:test"
import fc from "fast-check"
import { isUrl } from "../../src/pipeline/payload.ts"

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

test("an address is taken exactly when the URL parser takes it", () => {
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
])("%p is an address: %p", (text, is) => {
  expect(isUrl(text)).toBe(is)
  expect(parses(text)).toBe(is)
})
