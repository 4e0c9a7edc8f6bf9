import { describe, expect, test } from "bun:test"
import { locationInHeaders, resolveLocation } from "../../src/pipeline/resolveLocation.ts"
import { ALL_LOCATION_HEADERS } from "../../src/pipeline/vendors/ProxyVendor.ts"
import { Geo, type Location } from "../../src/ports/Geo.ts"
import { SITE, startCollect } from "../support/collect/collect.ts"

const PUBLIC = "81.2.69.142"
const LONDON: Location = { country: "GB", region: "GB-ENG", city: "Kennington" }
const NOWHERE: Location = { country: null, region: null, city: null }

/** A database that knows one IPv4 and one IPv6 address. */
const geo = Geo.of({
  locate: (ip) => (ip === PUBLIC || ip === "2001:db8::1" ? LONDON : null),
  state: () => ({ _tag: "Off", why: "test" })
})

const utf8InLatin1 = (text: string) => Buffer.from(text, "utf8").toString("latin1")

const claimed = (headers: Record<string, string>) => locationInHeaders(new Headers(headers), ALL_LOCATION_HEADERS)

describe("location headers", () => {
  test.each<[string, Record<string, string>, Location]>([
    [
      "Cloudflare, region without its country",
      { "cf-ipcountry": "NO", "cf-region-code": "03", "cf-ipcity": "Oslo" },
      { country: "NO", region: "NO-03", city: "Oslo" }
    ],
    [
      "Vercel, percent-encoded",
      { "x-vercel-ip-country": "BR", "x-vercel-ip-country-region": "SP", "x-vercel-ip-city": "S%C3%A3o%20Paulo" },
      { country: "BR", region: "BR-SP", city: "São Paulo" }
    ],
    [
      "CloudFront, UTF-8 in latin1",
      { "cloudfront-viewer-country": "DE", "cloudfront-viewer-city": utf8InLatin1("Köln") },
      { country: "DE", region: null, city: "Köln" }
    ],
    [
      "EdgeOne, region with its country",
      { "eo-ipcountry": "CN", "eo-region-code": "CN-GD", "eo-ipcity": "Shenzhen" },
      { country: "CN", region: "CN-GD", city: "Shenzhen" }
    ],
    [
      "two of them: the first, whole",
      { "cf-ipcountry": "NO", "x-vercel-ip-country": "BR", "x-vercel-ip-city": "Santos" },
      { country: "NO", region: null, city: null }
    ],
    ["in lower case", { "cf-ipcountry": "no", "cf-ipcity": "Oslo" }, { country: "NO", region: null, city: "Oslo" }],
    ["with the unknown country XX", { "cf-ipcountry": "XX", "cf-ipcity": "Oslo" }, LONDON],
    ["with Tor's T1", { "cf-ipcountry": "T1" }, LONDON],
    ["without its country", { "cf-ipcity": "Oslo", "cf-region-code": "03" }, LONDON],
    ["with an empty country", { "cf-ipcountry": "", "cf-ipcity": "Oslo" }, LONDON],
    ["with a country that is not a code", { "cf-ipcountry": "NORWAY" }, NOWHERE],
    [
      "with a percent sign that encodes nothing",
      { "cf-ipcountry": "NO", "cf-ipcity": "100%" },
      { country: "NO", region: null, city: "100%" }
    ],
    [
      "with strings too long for their columns",
      { "cf-ipcountry": "NO", "cf-region-code": "r".repeat(30), "cf-ipcity": "c".repeat(60) },
      { country: "NO", region: `NO-${"r".repeat(17)}`, city: "c".repeat(50) }
    ]
  ])("a provider's location headers take precedence over the database: %s", (_, headers, expected) => {
    expect(resolveLocation(PUBLIC, claimed(headers), geo)).toEqual(expected)
  })
})

test("only the database is used if the headers are not trusted", () => {
  expect(resolveLocation(PUBLIC, null, geo)).toEqual(LONDON)
  expect(resolveLocation("[2001:db8::1]", null, geo)).toEqual(LONDON)
  expect(resolveLocation("9.9.9.9", null, geo)).toEqual(NOWHERE)
})

test.each(["", "127.0.0.1", "10.1.2.3", "192.168.0.1", "::1", "fe80::1", "localhost"])(
  "the address %p has no location, whatever a header says",
  (ip) => {
    expect(resolveLocation(ip, claimed({ "cf-ipcountry": "NO" }), geo)).toEqual(NOWHERE)
  }
)

test.each<[string, Record<string, string>, Record<string, string>, Record<string, string>, string | null]>([
  [
    "those of Cloudflare are used when the chain of proxies ends at Cloudflare",
    {},
    {},
    { "x-forwarded-for": `${PUBLIC}, 172.70.1.2`, "cf-connecting-ip": PUBLIC },
    "NO"
  ],
  ["through a plain proxy they are ignored, since it passes on what a client claims", {}, {}, {}, "GB"],
  [
    "those of the CDN whose header CLIENT_IP_HEADER names are used",
    { CLIENT_IP_HEADER: "CF-Connecting-IP" },
    {},
    { "cf-connecting-ip": PUBLIC },
    "NO"
  ],
  ["with TRUST_PROXY=all they are used, as in Umami", { TRUST_PROXY: "all" }, {}, {}, "NO"],
  [
    "with SKIP_LOCATION_HEADERS they are ignored",
    { SKIP_LOCATION_HEADERS: "1" },
    {},
    { "x-forwarded-for": "172.70.1.2", "cf-connecting-ip": PUBLIC },
    "GB"
  ],
  ["those of an untrusted peer are ignored", { TRUST_PROXY: "10.0.0.0/8" }, {}, {}, null],
  ["for an address in the payload they are ignored", { TRUST_PROXY: "all" }, { ip: PUBLIC }, {}, "GB"]
])("location headers are used only from CDNs: %s", async (_, environment, payload, headers, country) => {
  const collect = await startCollect({ environment })
  const response = await collect.post(
    { type: "event", payload: { website: SITE, url: "/", ...payload } },
    { headers: { "x-real-ip": PUBLIC, "cf-ipcountry": "NO", ...headers } }
  )
  expect([response.status, collect.events[0]?.session?.country]).toEqual([200, country])
  await collect.stop()
})
