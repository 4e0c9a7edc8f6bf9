import { expect, test } from "bun:test"
import { trackingSnippet } from "../../../src/http/shared/snippet.ts"

test("the snippet loads the tracker with the site id and the host URL", () => {
  expect(
    trackingSnippet({
      siteId: "3f1c2d4e-5b6a-4c7d-8e9f-0a1b2c3d4e5f",
      scriptUrl: "https://cdn.example/script.js",
      hostUrl: "https://stats.example/"
    })
  ).toBe(
    '<script defer src="https://cdn.example/script.js" data-website-id="3f1c2d4e-5b6a-4c7d-8e9f-0a1b2c3d4e5f" data-host-url="https://stats.example"></script>'
  )
})

test("a URL cannot break out of its attribute in the snippet", () => {
  expect(
    trackingSnippet({ siteId: "x", scriptUrl: 'https://a.example/?a=1&b="><script>', hostUrl: "https://b.example" })
  ).toContain('src="https://a.example/?a=1&amp;b=&quot;&gt;&lt;script&gt;"')
})
