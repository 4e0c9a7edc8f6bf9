import { describe, expect, test } from "bun:test"
import { isSameOrigin, isSecureRequest, originOf } from "../../../src/http/shared/requestOrigin.ts"
import { cookieValue, setCookie } from "../../../src/http/shared/sessionCookie.ts"

const reading = (headers: Readonly<Record<string, string>>) => (name: string) => headers[name] ?? null

describe("a request comes from a page of this server", () => {
  test.each([
    [{ "sec-fetch-site": "same-origin" }, null, true],
    [{ "sec-fetch-site": "same-site", host: "a.example", origin: "http://a.example" }, null, false],
    [{ "sec-fetch-site": "none", host: "a.example", origin: "http://a.example" }, null, false],
    [{ host: "a.example", origin: "http://a.example" }, null, true],
    [{ host: "a.example:80", origin: "http://a.example" }, null, true],
    [{ host: "a.example", origin: "https://a.example" }, null, true],
    [{ host: "A.example:3000", origin: "http://a.example:3000" }, null, true],
    [{ host: "a.example:3000", origin: "http://a.example" }, null, false],
    [{ host: "a.example", origin: "http://a.example", "x-forwarded-proto": "https" }, null, false],
    [{ host: "internal", origin: "https://a.example" }, "https://a.example/stats", true],
    [{ host: "internal", origin: "http://a.example" }, "https://a.example", false],
    [{ host: "internal", "x-forwarded-host": "a.example, b.example", origin: "https://a.example" }, null, true],
    [{ host: "a.example", origin: "null" }, null, false],
    [{ host: "a.example", origin: "" }, null, false],
    [{ origin: "http://a.example" }, null, false],
    [{ host: "a.example" }, null, null]
  ] as const)("%p with PUBLIC_URL %p: %p", (headers, publicUrl, expected) => {
    expect(isSameOrigin(reading(headers), publicUrl)).toBe(expected)
  })
})

describe("a browser talks over HTTPS", () => {
  test.each([
    [{ host: "a.example" }, null, false],
    [{ host: "a.example", "x-forwarded-proto": "https" }, null, true],
    [{ host: "a.example", "x-forwarded-proto": "HTTPS, http" }, null, true],
    [{ host: "a.example", "x-forwarded-proto": "http" }, "https://a.example", false],
    [{ host: "a.example" }, "https://a.example", true],
    [{ host: "a.example:443" }, "https://a.example/stats", true],
    [{ host: "localhost:3000" }, "https://a.example", false]
  ] as const)("%p with PUBLIC_URL %p: %p", (headers, publicUrl, expected) => {
    expect(isSecureRequest(reading(headers), publicUrl)).toBe(expected)
  })
})

test("the origin of a request is its host, and HTTPS if a proxy says so", () => {
  expect(originOf(reading({ host: "stats.lan:3000" }))).toBe("http://stats.lan:3000")
  expect(originOf(reading({ host: "internal", "x-forwarded-host": "a.example", "x-forwarded-proto": "https" }))).toBe(
    "https://a.example"
  )
  expect([originOf(reading({})), originOf(reading({ host: "not a host" }))]).toEqual([null, null])
})

test("a cookie is read by its whole name", () => {
  const scope = { isSecure: false, base: null }
  const header = "xfootfall=1; footfall=; footfallx=2; footfall=3; other=4"
  expect(cookieValue("a=1; footfall=2", "footfall", scope)).toBe("2")
  expect(cookieValue(header, "footfall", scope)).toBeNull()
  expect(cookieValue(null, "footfall", scope)).toBeNull()
  expect(cookieValue("footfall=1", "footfall", { isSecure: true, base: null })).toBeNull()
  expect(setCookie("footfall", "1", { isSecure: true, base: "/stats", maxAgeSeconds: 5 })).toBe(
    "__Secure-footfall=1; Path=/stats; Max-Age=5; HttpOnly; SameSite=Lax; Secure"
  )
})
