import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { Effect } from "effect"
import { jwtVerify, SignJWT } from "jose"
import { SiteId } from "../../src/domain/ids.ts"
import { secretHash } from "../../src/pipeline/Identity.ts"
import { type CollectUnderTest, FIREFOX, SECRET, SITE, site, startCollect } from "../support/collect/collect.ts"

const KEY = new TextEncoder().encode(secretHash(SECRET))
const CHROME =
  "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36"

let collect: CollectUnderTest
beforeAll(async () => {
  collect = await startCollect()
})
afterAll(() => collect.stop())

const event = (payload: object, type = "event") => ({ type, payload: { website: SITE, ...payload } })

/** The record that a payload is stored as. */
const stored = async (payload: object, headers: Record<string, string> = {}) => {
  const before = collect.events.length
  const response = await collect.post(event(payload), { headers })
  expect(response.status).toBe(200)
  expect(collect.events.length).toBe(before + 1)
  return collect.events[before]!
}

describe("invalid bodies", () => {
  const payloadErrors = (field: string, ...errors: Array<string>) => ({
    errors: [],
    properties: { payload: { errors: [], properties: { [field]: { errors } } } }
  })
  const cases: ReadonlyArray<[string, unknown, object]> = [
    ["an empty body", "", { errors: ["Invalid input: expected object, received undefined"] }],
    ["malformed JSON", "{", { errors: ["Invalid input: expected object, received undefined"] }],
    ["an array", [], { errors: ["Invalid input: expected object, received array"] }],
    ["a number", "7", { errors: ["Invalid input: expected object, received number"] }],
    ["null", "null", { errors: ["Invalid input: expected object, received null"] }],
    [
      "a wrong type",
      event({}, "page"),
      {
        errors: [],
        properties: { type: { errors: ['Invalid option: expected one of "event"|"identify"|"performance"'] } }
      }
    ],
    [
      "no type",
      { payload: { website: SITE } },
      {
        errors: [],
        properties: { type: { errors: ['Invalid option: expected one of "event"|"identify"|"performance"'] } }
      }
    ],
    [
      "no payload",
      { type: "event" },
      { errors: [], properties: { payload: { errors: ["Invalid input: expected object, received undefined"] } } }
    ],
    [
      "no source",
      { type: "event", payload: {} },
      payloadErrors("website", "Exactly one of website, link, or pixel must be provided")
    ],
    [
      "two sources",
      event({ link: SITE }),
      payloadErrors("website", "Exactly one of website, link, or pixel must be provided")
    ],
    ["an id that is not a UUID", event({ website: "nope" }), payloadErrors("website", "Invalid UUID")],
    ["a link that is not a UUID", { type: "event", payload: { link: "1" } }, payloadErrors("link", "Invalid UUID")],
    ["an empty website", event({ website: "" }), payloadErrors("website", "Invalid UUID")],
    ["a wrong url", event({ url: "http://[" }), payloadErrors("url", "Invalid URL.")],
    ["an array as data", event({ data: [1] }), payloadErrors("data", "Invalid input: expected record, received array")],
    ["a text as data", event({ data: "x" }), payloadErrors("data", "Invalid input: expected record, received string")],
    [
      "a broken timestamp",
      event({ timestamp: 1.5 }),
      payloadErrors("timestamp", "Invalid input: expected int, received number")
    ],
    [
      "a wordy timestamp",
      event({ timestamp: "soon" }),
      payloadErrors("timestamp", "Invalid input: expected number, received NaN")
    ],
    [
      "a timestamp beyond all calendars",
      event({ timestamp: 1e15 }),
      payloadErrors("timestamp", "Too big: expected a time at most 86400 seconds ahead")
    ],
    [
      "a timestamp two days ahead",
      event({ timestamp: Math.floor(Date.now() / 1000) + 172_800 }),
      payloadErrors("timestamp", "Too big: expected a time at most 86400 seconds ahead")
    ],
    [
      "a timestamp before 2000",
      event({ timestamp: 946_684_799 }),
      payloadErrors("timestamp", "Too small: expected a time from 2000-01-01T00:00:00.000Z on")
    ],
    [
      "a timestamp before the epoch",
      event({ timestamp: -86_400 }),
      payloadErrors("timestamp", "Too small: expected a time from 2000-01-01T00:00:00.000Z on")
    ]
  ]
  test.each(cases)("%s is rejected with Umami's status and errors", async (_, body, tree) => {
    const response = await collect.post(body)
    expect(response.status).toBe(400)
    expect<unknown>(await response.json()).toEqual({
      error: { message: "Bad request", code: "bad-request", status: 400, ...tree }
    })
  })

  test("several invalid fields are reported together", async () => {
    const response = await collect.post(event({ url: "http://[", data: 5 }))
    expect<unknown>(await response.json()).toEqual({
      error: {
        message: "Bad request",
        code: "bad-request",
        status: 400,
        errors: [],
        properties: {
          payload: {
            errors: [],
            properties: {
              url: { errors: ["Invalid URL."] },
              data: { errors: ["Invalid input: expected record, received number"] }
            }
          }
        }
      }
    })
  })

  test("data nested deeper than 64 levels is rejected", async () => {
    const response = await collect.post(
      `{"type":"event","payload":{"website":"${SITE}","data":{"a":${"[".repeat(10_000)}${"]".repeat(10_000)}}}}`
    )
    expect(response.status).toBe(400)
    expect((await response.json()).error.properties.payload.properties["data"]!.errors).toEqual([
      "Too deep: expected at most 64 levels"
    ])
  })
})

describe("repaired payloads", () => {
  test.each<[string, Record<string, unknown>, object]>([
    [
      "an Accept-Language header",
      { language: "fr-FR,fr;q=0.9,en-US;q=0.8,en;q=0.7,ar;q=0.6" },
      { session: { language: "fr-FR" } }
    ],
    ["a language over 35", { language: "x".repeat(36) }, { session: { language: "x".repeat(35) } }],
    ["an event name over 50", { name: "n".repeat(60) }, { name: "n".repeat(50) }],
    ["a tag over 50", { tag: "t".repeat(60) }, { tag: "t".repeat(50) }],
    ["a screen over 11", { screen: "1920x1080xxxxxx" }, { session: { screen: "1920x1080xx" } }],
    ["a hostname over 100", { hostname: "h".repeat(101) }, { hostname: "h".repeat(100) }],
    ["a referrer that does not parse", { referrer: "http://[" }, { referrerDomain: null, referrerPath: null }],
    ["a referrer with a space in its host", { referrer: "https://exa mple.com/" }, { referrerDomain: null }],
    ["a referrer that is a bare word", { referrer: "google" }, { referrerDomain: null, referrerPath: null }],
    ["null as a title", { title: null }, { pageTitle: null }],
    ["a number as a hostname", { hostname: 5 }, {}],
    ["a tag that is an array", { tag: ["a"] }, { tag: null }],
    ["a user agent that is a number", { userAgent: 7 }, {}]
  ])("an event with %s is stored with that field cut or dropped", async (_, payload, expected) => {
    expect(await stored(payload)).toMatchObject(expected)
  })

  test.each<[string, Record<string, unknown>, object]>([
    ["a vital below 0", { lcp: -1, fcp: 10 }, { lcp: null, fcp: 10 }],
    ["a score over 100", { cls: 101 }, { cls: null }],
    ["a vital over a minute", { ttfb: 60_001 }, { ttfb: null }],
    ["a string as a vital", { lcp: "1" }, { lcp: null }]
  ])("a performance payload with %s is stored without it", async (_, payload, expected) => {
    const before = collect.events.length
    expect((await collect.post(event(payload, "performance"))).status).toBe(200)
    expect(collect.events[before]).toMatchObject(expected)
  })

  test.each(["url", "data", "timestamp"])(
    "an invalid %s is still rejected, next to fields that are repaired",
    async (field) => {
      const invalid = { url: "http://[", data: [1], timestamp: 1.5 }[field]
      const response = await collect.post(event({ [field]: invalid, tag: 5, language: "x".repeat(99) }))
      expect(response.status).toBe(400)
      expect(Object.keys((await response.json()).error.properties.payload.properties)).toEqual([field])
    }
  )
})

describe("sites, links and pixels", () => {
  test("an event for an unregistered site is rejected with 400", async () => {
    const response = await collect.post(event({ website: "22222222-2222-4333-8444-555555555555" }))
    expect(response.status).toBe(400)
    expect<unknown>(await response.json()).toEqual({
      error: { message: "Website not found.", code: "bad-request", status: 400 }
    })
  })

  test("a site id in capitals is the same site", async () => {
    const record = await stored({ website: SITE.toUpperCase() })
    expect(record.siteId as string).toBe(SITE)
  })

  test.each([
    ["link", 3],
    ["pixel", 4]
  ])("an event for a %s is stored without registration", async (kind, type) => {
    const id = "33333333-2222-4333-8444-555555555555"
    const before = collect.events.length
    const response = await collect.post({ type: "event", payload: { [kind]: id, name: "ignored by type" } })
    expect(response.status).toBe(200)
    expect(collect.events[before]).toMatchObject({ siteId: id, type })
  })

  test("an unregistered site is reported before a bot is", async () => {
    const response = await collect.post(event({ website: "22222222-2222-4333-8444-555555555555" }), {
      headers: { "user-agent": "curl/8.5" }
    })
    expect(response.status).toBe(400)
  })
})

describe("successful events", () => {
  test("a success has exactly Umami's three keys, and the token as a header", async () => {
    const response = await collect.post(event({ url: "/" }))
    expect(response.status).toBe(200)
    expect(response.headers.get("content-type")).toBe("application/json")
    expect(response.headers.get("set-cookie")).toBeNull()
    const body = await response.json()
    expect(Object.keys(body)).toEqual(["cache", "sessionId", "visitId"])
    expect(response.headers.get("x-umami-cache")).toBe(body.cache)
  })

  test("session and visit ids are those of the contract's test vectors", async () => {
    const at = Date.parse("2026-11-23T19:11:54Z") / 1000
    const send = async (payload: object, headers: Record<string, string> = {}) =>
      (await collect.post(event({ timestamp: at, ip: "81.2.69.142", ...payload }), { headers })).json()
    expect(await send({})).toMatchObject({
      sessionId: "e0d9376c-86d4-521d-abcb-e05be8a7f726",
      visitId: "b3bbdd7c-65a5-5855-b0f2-a30b6873e913"
    })
    expect(await send({ id: "user-1" })).toMatchObject({ sessionId: "91c0a59b-36c0-55ec-b574-b3949846b60a" })
    expect(await send({ ip: "127.0.0.1" })).toMatchObject({ sessionId: "e2db46fe-ae55-5237-abcb-96e186e7ce0d" })
    expect(await send({}, { "user-agent": "" })).toMatchObject({ sessionId: "9ad1a776-cd82-525e-b42e-08c992d99c7e" })
  })

  test("the token of a success is valid for 24 hours, as jose confirms", async () => {
    const body = await (await collect.post(event({}))).json()
    const { payload, protectedHeader } = await jwtVerify(body.cache, KEY)
    expect(protectedHeader).toEqual({ alg: "HS256", typ: "JWT" })
    expect(payload).toMatchObject({ type: "cache", websiteId: SITE, sessionId: body.sessionId, visitId: body.visitId })
    expect(payload.exp! - payload.iat!).toBe(86_400)
  })

  test.each(["text/plain", "application/octet-stream", "application/x-www-form-urlencoded"])(
    "an event is accepted with the content type %s",
    async (type) => {
      const response = await collect.post(JSON.stringify(event({ url: "/beacon" })), {
        headers: { "content-type": type }
      })
      expect(response.status).toBe(200)
    }
  )

  test("a gzipped event is accepted", async () => {
    const response = await collect.post(Bun.gzipSync(JSON.stringify(event({ url: "/zipped" }))), {
      headers: { "content-encoding": "gzip" }
    })
    expect(response.status).toBe(200)
    expect(collect.events.at(-1)!.urlPath).toBe("/zipped")
  })

  test("an event without a user agent is accepted", async () => {
    const record = await stored({}, { "user-agent": "" })
    expect(record.session).toMatchObject({ browser: null, os: null, device: "desktop" })
  })

  test("unknown keys of a payload are ignored", async () => {
    const response = await collect.post({ ...event({ duration: 5, nonsense: { a: 1 } }), more: true })
    expect(response.status).toBe(200)
  })

  test.each(["/api/send", "/api/ee/product-analytics/api/send"])("events are accepted at %s", async (path) => {
    expect((await collect.post(event({}), { path })).status).toBe(200)
  })

  test("events are accepted at the paths in COLLECT_API_ENDPOINT", async () => {
    const other = await startCollect({ environment: { COLLECT_API_ENDPOINT: "/api/x,/hit" } })
    expect((await other.post(event({}), { path: "/api/x" })).status).toBe(200)
    expect((await other.post(event({}), { path: "/hit" })).status).toBe(200)
    expect((await other.post(event({}), { path: "/other" })).status).toBe(404)
    await other.stop()
  })
})

describe("bots and ignored addresses", () => {
  const bots = [
    "Mozilla/5.0",
    "curl/8.5.0",
    "node",
    "Bun/1.4.5",
    "okhttp/4.9.2",
    "axios/1.6",
    "python-requests/2.31",
    "Go-http-client/1.1",
    `${CHROME} HeadlessChrome/124.0.0.0`,
    "Mozilla/5.0 (compatible; GPTBot/1.1; +https://openai.com/gptbot)"
  ]
  test.each(bots)("the bot %s gets beep boop and its event is not stored", async (userAgent) => {
    const before = collect.events.length
    const response = await collect.post(event({ userAgent }))
    expect(response.status).toBe(200)
    expect<unknown>(await response.json()).toEqual({ beep: "boop" })
    expect(collect.events.length).toBe(before)
  })

  test.each(["Mozilla/5.0 Umami/v20.11.0", "Dalvik/2.1.0 (Linux; U; Android 13; SM-X700 Build/TP1A)"])(
    "the user agent %s is not a bot",
    async (userAgent) => {
      await stored({ userAgent })
    }
  )

  test("events of bots are stored with DISABLE_BOT_CHECK", async () => {
    const other = await startCollect({ environment: { DISABLE_BOT_CHECK: "1" } })
    expect(await (await other.post(event({ userAgent: "curl/8" }))).json()).toHaveProperty("cache")
    await other.stop()
  })

  test.each([
    ["an address", "10.1.2.3"],
    ["a CIDR", "81.2.69.142"],
    ["an IPv6 CIDR", "2001:db8::77"],
    ["a mapped address", "::ffff:10.1.2.3"]
  ])("a client at %s, which is in IGNORE_IP, gets 403", async (_, ip) => {
    const other = await startCollect({ environment: { IGNORE_IP: "10.1.2.3, 81.2.0.0/16, 2001:db8::/32" } })
    const response = await other.post(event({ ip }))
    expect(response.status).toBe(403)
    expect<unknown>(await response.json()).toEqual({ error: { message: "Forbidden", code: "forbidden", status: 403 } })
    expect((await other.post(event({ ip: "not an address" }))).status).toBe(200)
    expect((await other.post(event({ ip: "81.3.0.1" }))).status).toBe(200)
    await other.stop()
  })
})

describe("browser, system and device have Umami's labels", () => {
  const IPHONE =
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Mobile/15E148 Safari/604.1"
  const cases: ReadonlyArray<[string, string, string | null, string | null, string, string]> = [
    ["Chrome on Windows", CHROME, "chrome", "Windows 10", "desktop", "laptop"],
    [
      "Safari on a Mac",
      "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Safari/605.1.15",
      "safari",
      "Mac OS",
      "desktop",
      "laptop"
    ],
    ["Safari on an iPhone", IPHONE, "ios", "iOS", "mobile", "mobile"],
    [
      "Chrome on an iPhone",
      "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/124.0.6367.88 Mobile/15E148 Safari/604.1",
      "crios",
      "iOS",
      "mobile",
      "mobile"
    ],
    [
      "an iPad",
      "Mozilla/5.0 (iPad; CPU OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Mobile/15E148 Safari/604.1",
      "ios",
      "iOS",
      "tablet",
      "tablet"
    ],
    [
      "a Pixel 8",
      "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Mobile Safari/537.36",
      "chrome",
      "Android OS",
      "mobile",
      "mobile"
    ],
    [
      "a reduced Android agent",
      "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Mobile Safari/537.36",
      "chrome",
      "Android OS",
      "mobile",
      "mobile"
    ],
    [
      "Samsung's browser",
      "Mozilla/5.0 (Linux; Android 13; SM-S911B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/24.0 Chrome/117.0.0.0 Mobile Safari/537.36",
      "samsung",
      "Android OS",
      "mobile",
      "mobile"
    ],
    [
      "a Samsung tablet",
      "Mozilla/5.0 (Linux; Android 13; SM-X700) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36",
      "chrome",
      "Android OS",
      "tablet",
      "tablet"
    ],
    ["Firefox on Linux", FIREFOX, "firefox", "Linux", "desktop", "laptop"],
    ["Edge", `${CHROME} Edg/124.0.0.0`, "edge-chromium", "Windows 10", "desktop", "laptop"],
    ["Opera", `${CHROME} OPR/109.0.0.0`, "opera", "Windows 10", "desktop", "laptop"],
    [
      "ChromeOS",
      "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36",
      "chrome",
      "Chrome OS",
      "desktop",
      "laptop"
    ],
    [
      "Internet Explorer 11",
      "Mozilla/5.0 (Windows NT 6.1; WOW64; Trident/7.0; rv:11.0) like Gecko",
      "ie",
      "Windows 7",
      "desktop",
      "laptop"
    ],
    [
      "Facebook's app",
      "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/21E219 [FBAN/FBIOS;FBAV/460.0.0.32.108;FBDV/iPhone15,2]",
      "facebook",
      "iOS",
      "mobile",
      "mobile"
    ],
    [
      "a television",
      "Mozilla/5.0 (SMART-TV; Linux; Tizen 6.5) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/4.0 Chrome/85.0.4183.93 TV Safari/537.36",
      "samsung",
      "Linux",
      "smarttv",
      "smarttv"
    ],
    [
      "a console",
      "Mozilla/5.0 (PlayStation; PlayStation 5/6.00) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/13.0 Safari/605.1.15",
      "safari",
      null,
      "console",
      "console"
    ]
  ]
  test.each(cases)(
    "%s gets Umami's browser, system and device labels",
    async (_, userAgent, browser, os, device, at1920) => {
      expect((await stored({ userAgent, screen: "2560x1440" })).session).toMatchObject({ browser, os, device })
      expect((await stored({ userAgent })).session).toMatchObject({ browser, os, device })
      expect((await stored({ userAgent, screen: "1920x1080" })).session).toMatchObject({ browser, os, device: at1920 })
    }
  )

  test("the payload's own browser, system and device take precedence, cut to 20 characters", async () => {
    const session = (await stored({ browser: "b".repeat(30), os: "BeOS", device: "watch", screen: "800x600" })).session
    expect(session).toMatchObject({ browser: "b".repeat(20), os: "BeOS", device: "watch" })
  })
})

describe("pages", () => {
  const cases: ReadonlyArray<[string, object, object]> = [
    [
      "a full address",
      { url: "https://www.example.com/caf%C3%A9?b=%20x&utm_source=news&utm_source=2#top", hostname: "www.example.com" },
      {
        urlPath: "/café#top",
        urlQuery: "b=%20x&utm_source=news&utm_source=2",
        hostname: "www.example.com",
        utmSource: "news"
      }
    ],
    ["a host without hostname", { url: "https://www.example.com/a" }, { urlPath: "/a", hostname: "example.com" }],
    [
      "a relative address",
      { url: "/a/?x=1", hostname: "ex.com" },
      { urlPath: "/a/", urlQuery: "x=1", hostname: "ex.com" }
    ],
    ["no address", { name: "x" }, { urlPath: "", urlQuery: null, type: 2, name: "x" }],
    ["an empty name", { name: "" }, { type: 1, name: null }],
    ["a broken escape", { url: "/%E0%A4%A" }, { urlPath: "/%E0%A4%A" }],
    ["a hostname that makes no host", { hostname: "foo bar", url: "/a" }, { urlPath: "/a", hostname: "foo bar" }],
    [
      "all campaign parameters",
      {
        url: "/?utm_source=a&utm_medium=b&utm_campaign=c&utm_content=d&utm_term=e&gclid=1&fbclid=2&msclkid=3&ttclid=4&li_fat_id=5&twclid=6"
      },
      {
        utmSource: "a",
        utmMedium: "b",
        utmCampaign: "c",
        utmContent: "d",
        utmTerm: "e",
        gclid: "1",
        fbclid: "2",
        msclkid: "3",
        ttclid: "4",
        liFatId: "5",
        twclid: "6"
      }
    ],
    ["a long campaign", { url: `/?utm_term=${"x".repeat(300)}` }, { utmTerm: "x".repeat(255) }],
    [
      "a referrer",
      { referrer: "https://www.google.com/s%C3%A9arch?q=a#h", hostname: "ex.com" },
      { referrerPath: "/séarch", referrerQuery: "q=a", referrerDomain: "google.com" }
    ],
    ["an empty referrer", { referrer: "" }, { referrerPath: null, referrerQuery: null, referrerDomain: null }],
    ["a relative referrer", { referrer: "/before" }, { referrerPath: "/before", referrerDomain: "localhost" }],
    [
      "a relative referrer with a hostname",
      { referrer: "/before", hostname: "www.ex.com" },
      { referrerPath: "/before", referrerDomain: "ex.com" }
    ],
    ["an encoded title", { title: "100%25 caf%C3%A9" }, { pageTitle: "100% café" }],
    ["a title with a bare percent sign", { title: "100% sure" }, { pageTitle: "100% sure" }],
    [
      "long strings",
      { url: `/${"p".repeat(600)}`, title: "t".repeat(600) },
      { urlPath: `/${"p".repeat(499)}`, pageTitle: "t".repeat(500) }
    ],
    [
      "NUL and half a surrogate pair",
      { title: "a\u0000b\ud800c", tag: "x\u0000" },
      { pageTitle: "ab\ufffdc", tag: "x" }
    ],
    ["a cut inside a pair", { title: `${"t".repeat(499)}😀` }, { pageTitle: "t".repeat(499) }]
  ]
  test.each(cases)("the page of %s is resolved as Umami does", async (_, payload, expected) => {
    expect(await stored(payload)).toMatchObject(expected)
  })

  test("a path loses its trailing slash with REMOVE_TRAILING_SLASH", async () => {
    const other = await startCollect({ environment: { REMOVE_TRAILING_SLASH: "1" } })
    await other.post(event({ url: "/a/" }))
    await other.post(event({ url: "/a/#h" }))
    await other.post(event({ url: "/" }))
    expect(other.events.map((record) => record.urlPath)).toEqual(["/a", "/a#h", ""])
    await other.stop()
  })

  test("a performance payload is stored with only its path, title and vitals", async () => {
    const before = collect.events.length
    await collect.post(
      event(
        {
          url: "https://ex.com/caf%C3%A9?utm_source=x#h",
          title: "T",
          referrer: "https://a.b/",
          tag: "t",
          hostname: "ex.com",
          lcp: 1234.56,
          inp: 0,
          fcp: 10,
          ttfb: 60_000,
          cls: 0.12345,
          duration: 5
        },
        "performance"
      )
    )
    expect(collect.events[before]).toMatchObject({
      type: 5,
      urlPath: "/caf%C3%A9",
      urlQuery: null,
      hostname: null,
      referrerDomain: null,
      utmSource: null,
      tag: null,
      pageTitle: "T",
      lcp: 1234.56,
      inp: 0,
      fcp: 10,
      ttfb: 60_000,
      cls: 0.12345
    })
  })
})

describe("timestamps", () => {
  test.each([
    ["a number", 1_700_000_000, 1_700_000_000_000],
    ["a numeric text", "1700000000", 1_700_000_000_000],
    ["milliseconds", 1_700_000_000_000, 1_700_000_000_000],
    ["milliseconds in a string", "1700000000123", 1_700_000_000_123],
    ["the first accepted second", 946_684_800, 946_684_800_000]
  ])("a timestamp given as %s is the time of the event and of its session", async (_, timestamp, expected) => {
    const record = await stored({ timestamp })
    expect(record.createdAt).toBe(expected)
    expect(record.session!.createdAt).toBe(expected)
  })

  test.each([null, 0, ""])("the timestamp %p counts as now", async (timestamp) => {
    const record = await stored({ timestamp })
    expect(Math.abs(record.createdAt - Date.now())).toBeLessThan(10_000)
  })
})

describe("properties", () => {
  const properties = async (data: object) =>
    (await stored({ name: "e", data })).properties.map(({ key, type, string, number, date }) => [
      key,
      type,
      string,
      number,
      date
    ])

  test("properties are flattened and typed as Umami does", async () => {
    expect(
      await properties({
        text: "a",
        int: 1,
        float: 1.23456,
        yes: true,
        list: [1, { a: 1 }],
        none: null,
        nested: { a: { b: "c" }, empty: {} },
        at: "2024-01-02T03:04:05.123Z",
        offset: "2024-01-02T03:04:05.123+01:00",
        seconds: "2024-01-02T03:04:05Z",
        day: "2024-01-02",
        wrong: "2024-13-45T99:00:00"
      })
    ).toEqual([
      ["text", 1, "a", null, null],
      ["int", 2, "1.0000", 1, null],
      ["float", 2, "1.2346", 1.23456, null],
      ["yes", 3, "true", null, null],
      ["list", 5, '[1,{"a":1}]', null, null],
      ["none", 5, "null", null, null],
      ["nested.a.b", 1, "c", null, null],
      ["at", 4, "2024-01-02T03:04:05.123Z", null, 1_704_164_645_123],
      ["offset", 4, "2024-01-02T02:04:05.123Z", null, 1_704_161_045_123],
      ["seconds", 1, "2024-01-02T03:04:05Z", null, null],
      ["day", 1, "2024-01-02", null, null],
      ["wrong", 1, "2024-13-45T99:00:00", null, null]
    ])
  })

  test("properties of a pageview are stored", async () => {
    expect((await stored({ data: { a: 1 } })).properties).toHaveLength(1)
  })

  test("properties that Umami answers with 500 are cut", async () => {
    const rows = await properties({
      [`k${"k".repeat(600)}`]: "s".repeat(600),
      big: 1e15,
      huge: 1e308,
      list: Array(400).fill("x")
    })
    expect(
      rows.map(([key, , string, number]) => [(key as string).length, (string as string).length <= 500, number])
    ).toEqual([
      [500, true, null],
      [3, true, null],
      [4, true, null],
      [4, true, null]
    ])
  })

  test("an array property over 500 characters is cut between its elements and stays JSON", async () => {
    const item = { sku: "a".repeat(40), name: "b".repeat(40) }
    const [row] = await properties({ items: Array(9).fill(item) })
    const string = row![2] as string
    expect(JSON.parse(string)).toEqual(Array(4).fill(item))
    expect(string.length).toBe(405)
    const [long] = await properties({ items: ["x".repeat(600)] })
    expect(long![2]).toBe("[]")
  })

  test.each(["0000-06-01T00:00:00Z", "0001-01-01T00:00:00.000+14:00"])(
    "the date %s, which is outside the years 1 to 9999, stays a string",
    async (date) => {
      expect(await properties({ date })).toEqual([["date", 1, date, null, null]])
    }
  )

  test("properties beyond 250 are dropped, but 61 are all kept", async () => {
    const many = (n: number) => Object.fromEntries(Array.from({ length: n }, (_, i) => [`k${i}`, i]))
    expect(await properties(many(61))).toHaveLength(61)
    expect(await properties(many(1_000))).toHaveLength(250)
  })

  test("a property named __proto__ is stored like any other", async () => {
    const body = `{"type":"event","payload":{"website":"${SITE}","data":{"__proto__":{"a":1},"constructor":2}}}`
    const before = collect.events.length
    expect((await collect.post(body)).status).toBe(200)
    expect(collect.events[before]!.properties.map(({ key }) => key)).toEqual(["__proto__.a", "constructor"])
    expect(Object.hasOwn(Object.prototype, "a")).toBe(false)
  })

  test("properties nested deeper than ten levels are stored as JSON", async () => {
    let data: object = { end: 1 }
    for (let i = 0; i < 20; i++) data = { a: data }
    const [row, ...more] = await properties(data)
    expect(more).toEqual([])
    expect(row!.slice(0, 2)).toEqual(["a.a.a.a.a.a.a.a.a.a", 5])
  })

  test("a property that occurs twice keeps its last value", async () => {
    expect(await properties({ "a.b": 1, a: { b: 2 } })).toEqual([["a.b", 2, "2.0000", 2, null]])
  })
})

describe("revenue", () => {
  test.each([
    [{ revenue: 12.5, currency: "eur" }, 12.5, "EUR"],
    [{ revenue: "12.5", currency: "USD" }, 12.5, "USD"],
    [{ revenue: 0, currency: "USD" }, null, null],
    [{ revenue: -3, currency: "USD" }, null, null],
    [{ revenue: 5 }, null, null],
    [{ revenue: "x", currency: "USD" }, null, null],
    [{ revenue: 5, currency: "a very long currency" }, 5, "A VERY LON"],
    [{ revenue: 5, currency: " usd " }, 5, "USD"],
    [{ revenue: 5, currency: "  " }, null, null],
    [{ order: { revenue: 5, currency: "USD" } }, null, null]
  ])("the revenue of %j is resolved as Umami does", async (data, revenue, currency) => {
    expect(await stored({ name: "purchase", data })).toMatchObject({ revenue, currency })
  })
})

describe("identify", () => {
  test("identify stores the session with its distinct id and attributes, and no event", async () => {
    const [events, identities] = [collect.events.length, collect.identities.length]
    const response = await collect.post(event({ id: "user-1", data: { plan: "pro", seats: 3 } }, "identify"))
    expect(response.status).toBe(200)
    expect(Object.keys(await response.json())).toEqual(["cache", "sessionId", "visitId"])
    expect(collect.events.length).toBe(events)
    expect(collect.identities[identities]).toMatchObject({
      session: { distinctId: "user-1", siteId: SITE },
      properties: [
        { key: "plan", string: "pro" },
        { key: "seats", number: 3 }
      ]
    })
  })

  test("identify without data stores only the session", async () => {
    const before = collect.identities.length
    await collect.post(event({ id: "user-2" }, "identify"))
    expect(collect.identities[before]).toMatchObject({ session: { distinctId: "user-2" }, properties: [] })
  })

  test("identify stores 50 characters of a long id, but the whole id distinguishes visitors", async () => {
    const ids = await Promise.all(
      ["a", "b"].map(
        async (end) => (await (await collect.post(event({ id: "x".repeat(60) + end }, "identify"))).json()).sessionId
      )
    )
    expect(ids[0]).not.toBe(ids[1])
    expect(collect.identities.at(-1)!.session.distinctId).toBe("x".repeat(50))
  })
})

describe("session tokens", () => {
  const send = async (token: string, payload: object = {}) => {
    const before = collect.events.length
    const response = await collect.post(event(payload), { headers: { "x-umami-cache": token } })
    return { body: await response.json(), record: collect.events[before]! }
  }
  const now = () => Math.floor(Date.now() / 1000)
  const VISIT = "99999999-9999-5999-8999-999999999999"

  /** A token as Umami 3.1 signs it, without type and expiry, for this client's session. */
  const umamiToken = async (claims: Record<string, unknown>, key: Uint8Array = KEY) => {
    const { body } = await send("")
    return new SignJWT({ websiteId: SITE, sessionId: body.sessionId, visitId: VISIT, ...claims })
      .setProtectedHeader({ alg: "HS256", typ: "JWT" })
      .sign(key)
  }

  test("a token of the same session keeps its visit, and the session is not stored again", async () => {
    const { body, record } = await send(await umamiToken({ iat: now() - 1_700 }))
    expect(body.visitId).toBe(VISIT)
    expect(record.session).toBeNull()
    expect(record.visitId as string).toBe(VISIT)
  })

  test("a token is renewed with the start of its visit", async () => {
    const iat = now() - 60
    const { body } = await send(await umamiToken({ iat }))
    expect((await jwtVerify(body.cache, KEY)).payload.iat).toBe(iat)
  })

  test("a token older than half an hour starts the visit of the current hour", async () => {
    const hourly = (await send("")).body.visitId
    const { body, record } = await send(await umamiToken({ iat: now() - 1_801 }))
    expect(body.visitId).toBe(hourly)
    expect(record.session).toBeNull()
    expect((await jwtVerify(body.cache, KEY)).payload.iat).toBeGreaterThan(now() - 60)
  })

  test("a token older than half an hour keeps its visit for an event with its own timestamp", async () => {
    const { body } = await send(await umamiToken({ iat: now() - 1_801 }), { timestamp: now() })
    expect(body.visitId).toBe(VISIT)
  })

  test("with a token of another session, the client's own session is stored", async () => {
    const { body, record } = await send(await umamiToken({ iat: now() }), { ip: "203.0.113.9" })
    expect(body.visitId).not.toBe(VISIT)
    expect(record.session).toMatchObject({ id: body.sessionId })
  })

  const ignored: ReadonlyArray<[string, () => Promise<string>]> = [
    ["another site's", () => umamiToken({ iat: now(), websiteId: "22222222-2222-4333-8444-555555555555" })],
    ["another secret's", () => umamiToken({ iat: now() }, new TextEncoder().encode("other"))],
    ["a day old", () => umamiToken({ iat: now() - 86_401 })],
    ["ended", () => umamiToken({ iat: now() - 100, exp: now() - 1 })],
    ["of another kind", () => umamiToken({ iat: now(), type: "share" })],
    ["without a session", () => umamiToken({ iat: now(), sessionId: undefined })],
    ["unsigned", async () => `${(await umamiToken({ iat: now() })).split(".").slice(0, 2).join(".")}.`],
    [
      "tampered with",
      async () =>
        (await umamiToken({ iat: now() })).replace(/^(.{60})(.)/, (_, head, one) => head + (one === "A" ? "B" : "A"))
    ],
    ["of no algorithm", async () => `eyJhbGciOiJub25lIn0.${Buffer.from("{}").toString("base64url")}.`],
    ["a whole answer, as old trackers send", async () => JSON.stringify((await send("")).body)],
    ["nonsense", async () => "nonsense"]
  ]
  test.each(ignored)("a token that is %s is ignored", async (_, make) => {
    const { body, record } = await send(await make())
    expect(body.visitId).not.toBe(VISIT)
    expect(record.session).not.toBeNull()
  })
})

describe("archived sites", () => {
  test("an archived site accepts no events, not even with a valid token", async () => {
    const other = await startCollect({ sites: [site(SITE)] })
    const { cache } = await (await other.post(event({}))).json()
    await Effect.runPromise(other.sites.archive(SiteId.make(SITE)))
    const response = await other.post(event({}), { headers: { "x-umami-cache": cache } })
    expect(response.status).toBe(400)
    await other.stop()
  })
})

test("an event with a token and an earlier time of its own brings its session's row, which a live event does not", async () => {
  const first = await collect.post({ type: "event", payload: { website: SITE, url: "/live" } })
  const { cache } = await first.json()
  const send = (payload: object) =>
    collect.post({ type: "event", payload: { website: SITE, ...payload } }, { headers: { "x-umami-cache": cache } })
  await send({ url: "/live-again" })
  expect(collect.events.at(-1)!.session).toBeNull()
  const timestamp = Math.floor(Date.now() / 1000) - 60
  await send({ url: "/before", timestamp })
  expect(collect.events.at(-1)!.session).toMatchObject({ createdAt: timestamp * 1000, firstPath: "/before" })
})

test.each([
  ["https://shop.example/a", "shop.example", null],
  ["https://www.shop.example/a", "shop.example", null],
  ["https://shop.example/a", "WWW.Shop.Example", null],
  ["http://shop.example:8080/a", "shop.example:8080", null],
  ["https://müller.example/a", "müller.example", null],
  ["https://xn--mller-kva.example/a", "müller.example", null],
  ["https://blog.shop.example/a", "shop.example", "blog.shop.example"],
  ["https://www.google.com/", "shop.example", "google.com"]
])("a session whose first event followed %s on %s has the first referrer %p", async (referrer, hostname, expected) => {
  const payload = { website: SITE, url: "/b", hostname, referrer, ip: crypto.randomUUID() }
  await collect.post({ type: "event", payload })
  expect(collect.events.at(-1)!.session!.firstReferrerDomain).toBe(expected)
})

test("a hostname of another script is stored in its ASCII form, as browsers send it", async () => {
  await collect.post({ type: "event", payload: { website: SITE, url: "/", hostname: "Müller.example" } })
  expect(collect.events.at(-1)!.hostname).toBe("xn--mller-kva.example")
})
