import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { cut } from "../../src/lib/strings.ts"
import { PageResolver } from "../../src/pipeline/resolvePage.ts"

const SIZES = {
  urlPath: 500,
  urlQuery: 500,
  hostname: 100,
  pageTitle: 500,
  referrerPath: 500,
  referrerQuery: 500,
  referrerDomain: 500
}

describe("a page", () => {
  test("a page fits its columns for any URL, referrer, hostname and title", () => {
    const anything = fc.oneof(
      fc.webUrl({ withQueryParameters: true, withFragments: true }),
      fc.webPath(),
      fc.string({ unit: "binary" })
    )
    fc.assert(
      fc.property(
        anything,
        anything,
        fc.string({ maxLength: 100 }),
        fc.string({ unit: "binary" }),
        (url, referrer, hostname, title) => {
          fc.pre(URL.canParse(url, "https://localhost") && URL.canParse(referrer, "https://localhost"))
          const page = new PageResolver(false).resolve({ url, referrer, hostname, title })
          for (const [name, size] of Object.entries(SIZES)) {
            const value = page[name as keyof typeof SIZES]
            if (value === null) continue
            expect(value.length).toBeLessThanOrEqual(size)
            expect(value.isWellFormed() && !value.includes("\u0000")).toBe(true)
          }
        }
      ),
      { numRuns: 500 }
    )
  })

  test("a page has the path, query and campaign of its URL", () => {
    const word = fc.stringMatching(/^[a-z0-9]{1,10}$/)
    fc.assert(
      fc.property(fc.array(word, { maxLength: 4 }), word, word, fc.domain(), (segments, source, hash, host) => {
        const path = `/${segments.join("/")}`
        const page = new PageResolver(false).resolve({ url: `https://${host}${path}?utm_source=${source}#${hash}` })
        expect(page).toMatchObject({ urlPath: `${path}#${hash}`, urlQuery: `utm_source=${source}`, utmSource: source })
        expect(page.hostname).toBe(host.toLowerCase().replace(/^www./, ""))
      })
    )
  })

  test("a referrer keeps its domain without www, its path and its query", () => {
    const word = fc.stringMatching(/^[a-z0-9]{1,10}$/)
    fc.assert(
      fc.property(word, word, fc.domain(), (path, query, host) => {
        expect(new PageResolver(false).resolve({ referrer: `https://www.${host}/${path}?${query}` })).toMatchObject({
          referrerDomain: host.toLowerCase(),
          referrerPath: `/${path}`,
          referrerQuery: query
        })
      })
    )
  })
})

describe("cutting strings", () => {
  test("a cut string is well formed, has no NUL, and is a prefix of a clean string", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 40 }), fc.integer({ min: 1, max: 40 }), (text, limit) => {
        const short = cut(text, limit)
        expect(short.length).toBeLessThanOrEqual(limit)
        expect(short.isWellFormed() && !short.includes("\u0000")).toBe(true)
        if (text.isWellFormed() && !text.includes("\u0000")) expect(text.startsWith(short)).toBe(true)
      })
    )
  })
})

test("a URL is resolved against its own hostname, whatever was resolved before", () => {
  for (const hostname of ["a.example", "b.example", "a.example"]) {
    const page = new PageResolver(false).resolve({ url: "/same?utm_source=x", referrer: "/from", hostname })
    expect([page.hostname, page.urlPath, page.referrerDomain]).toEqual([hostname, "/same", hostname])
  }
})
