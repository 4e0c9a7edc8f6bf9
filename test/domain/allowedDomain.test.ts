import { describe, expect, test } from "bun:test"
import { Result } from "effect"
import fc from "fast-check"
import { originMatcher, parseAllowedDomain } from "../../src/domain/allowedDomain.ts"

describe("normalizing a domain", () => {
  test.each([
    ["example.com", "example.com"],
    ["  Example.COM ", "example.com"],
    ["https://Example.com/", "example.com"],
    ["http://example.com:8080", "example.com:8080"],
    ["example.com.", "example.com"],
    ["*.Example.com", "*.example.com"],
    ["*.example.com:8443", "*.example.com:8443"],
    ["bücher.example", "xn--bcher-kva.example"],
    ["*.bücher.example", "*.xn--bcher-kva.example"],
    ["localhost", "localhost"],
    ["localhost:3000", "localhost:3000"],
    ["intranet", "intranet"],
    ["my_host.example.com", "my_host.example.com"],
    ["192.168.0.7", "192.168.0.7"],
    ["[2001:DB8::1]", "[2001:db8::1]"],
    ["[::1]:3000", "[::1]:3000"],
    ["*", "*"]
  ])("%p becomes %p", (given, normalized) => {
    expect(parseAllowedDomain(given)).toEqual(Result.succeed(normalized))
  })
})

describe("rejecting an invalid domain", () => {
  test.each([
    ["", "A domain is empty"],
    ["https://example.com/blog", "has a path or query"],
    ["example.com?x=1", "has a path or query"],
    ["ftp://example.com", "has the scheme `ftp`"],
    ["capacitor://localhost", "has the scheme `capacitor`"],
    ["user@example.com", "is not a host name"],
    ["exa mple.com", "is not a host name"],
    ["a.*.example.com", "has a `*` in the middle"],
    ["**.example.com", "has a `*` in the middle"],
    ["*.*.example.com", "has a `*` in the middle"],
    ["example.com:0", "outside 1 to 65535"],
    ["example.com:70000", "outside 1 to 65535"],
    ["example.com:http", "is not a host name"],
    ["-example.com", "is not a host name"],
    ["exa$mple.com", "is not a host name"],
    [`${"a".repeat(64)}.com`, "is not a host name"],
    ["*.127.0.0.1", "no subdomains"],
    ["0x7f.1", "did you mean `127.0.0.1`"],
    ["null", undefined]
  ])("parsing %p reports %p", (given, reason) => {
    const parsed = parseAllowedDomain(given)
    if (reason === undefined) expect(Result.isSuccess(parsed)).toBe(true)
    else expect(Result.getOrThrow(Result.flip(parsed))).toContain(reason)
  })
})

describe("matching origins", () => {
  test.each([
    [
      "example.com",
      [
        "https://example.com",
        "http://example.com",
        "https://www.example.com",
        "http://www.example.com:8080",
        "https://example.com:8443",
        "https://EXAMPLE.com",
        "https://example.com.",
        "https://example.com.:8443"
      ],
      [
        "https://example.com..",
        "https://example.com:port",
        "https://a.example.com",
        "https://example.org",
        "https://notexample.com",
        "https://example.com.evil.org",
        "null",
        "",
        "example.com",
        "capacitor://example.com"
      ]
    ],
    [
      "www.example.com",
      ["https://example.com", "https://www.example.com"],
      ["https://www.www.example.com", "https://blog.example.com"]
    ],
    [
      "*.example.com",
      ["https://a.example.com", "http://a.b.example.com", "https://www.example.com", "https://a.example.com:8443"],
      ["https://example.com", "https://aexample.com"]
    ],
    [
      "example.com:8443",
      ["https://example.com:8443", "http://www.example.com:8443"],
      ["https://example.com", "https://example.com:844"]
    ],
    ["*.example.com:8443", ["https://a.example.com:8443"], ["https://a.example.com", "https://example.com:8443"]],
    ["example.com:443", ["https://example.com", "https://www.example.com"], ["http://example.com"]],
    ["example.com:80", ["http://example.com"], ["https://example.com"]],
    [
      "localhost",
      ["http://localhost", "http://localhost:5173", "https://localhost:1", "capacitor://localhost"],
      ["http://localhost.evil.org", "http://127.0.0.1"]
    ],
    ["localhost:3000", ["http://localhost:3000"], ["http://localhost:3001", "http://localhost"]],
    ["*.localhost", ["http://shop.localhost:3000"], ["http://localhost:3000"]],
    ["127.0.0.1", ["http://127.0.0.1:8080"], ["http://127.0.0.2"]],
    ["[::1]", ["http://[::1]:3000", "http://[::1]"], ["http://[::2]"]],
    [
      "xn--bcher-kva.example",
      ["https://xn--bcher-kva.example", "HTTPS://XN--BCHER-KVA.example"],
      ["https://bcher.example"]
    ],
    ["*", ["https://anything.example", "null"], []]
  ])("the domain %p allows %j and rejects %j", (domain, allowed, rejected) => {
    const { matches } = originMatcher([domain])
    expect([allowed.filter((origin) => !matches(origin)), rejected.filter(matches)]).toEqual([[], []])
  })
})

test("an empty list of domains allows every origin", () => {
  const none = originMatcher([])
  expect([none.everything, none.matches("https://anything.example")]).toEqual([true, true])
  expect(originMatcher(["example.com"]).everything).toBe(false)
})

test("an accepted domain is its own normal form, and no string makes the parser or the matcher throw", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.domain(), fc.webUrl(), fc.ipV6()), fc.string(), (entered, origin) => {
      const parsed = parseAllowedDomain(entered)
      if (Result.isFailure(parsed)) return
      expect(parseAllowedDomain(parsed.success)).toEqual(parsed)
      originMatcher([parsed.success]).matches(origin)
    })
  )
})

test("a plain domain allows only its own origin and its www. variant among random hosts", () => {
  fc.assert(
    fc.property(fc.domain(), fc.domain(), (mine, other) => {
      const { matches } = originMatcher([mine])
      expect(matches(`https://${mine}`)).toBe(true)
      expect(matches(`https://${other}`)).toBe(other === mine || other === `www.${mine}` || `www.${other}` === mine)
    })
  )
})
