import { beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { Effect, type Redacted } from "effect"
import type { EventRecord } from "../../../../src/domain/Event.ts"
import { event } from "../../../support/collect/records.ts"
import { run } from "../../../support/postgres/controlPlane.ts"
import { emptiedDatabase, openStorage } from "../../../support/postgres/pgStorage.ts"
import { openClient } from "../../../support/postgres/postgres.ts"

// The first test waits for the server to start.
setDefaultTimeout(180_000)

let database: Redacted.Redacted<string>
beforeAll(async () => {
  database = await Effect.runPromise(emptiedDatabase)
})

/** The columns of an event that determine its channel. */
type Source = Pick<
  Partial<EventRecord>,
  | "referrerDomain"
  | "hostname"
  | "urlQuery"
  | "utmSource"
  | "utmMedium"
  | "gclid"
  | "fbclid"
  | "msclkid"
  | "ttclid"
  | "liFatId"
  | "twclid"
>

const from = (referrerDomain: string, more: Source = {}): Source => ({ referrerDomain, ...more })
const medium = (utmMedium: string, more: Source = {}): Source => ({
  utmMedium,
  urlQuery: `utm_medium=${utmMedium}`,
  ...more
})

/** The rules of the query contract, section 4.6, in their order: the first that matches decides. */
const RULES: ReadonlyArray<readonly [channel: string, sources: ReadonlyArray<Source>]> = [
  [
    "direct",
    [
      {},
      { referrerDomain: "", urlQuery: "" },
      { hostname: "shop.example", referrerDomain: "shop.example" },
      { hostname: "www.shop.example", referrerDomain: "shop.example" },
      { hostname: "www.shop.example", referrerDomain: "www.shop.example" },
      // A campaign that is not in the query was not in the URL.
      { utmSource: "newsletter" }
    ]
  ],
  [
    "paidAds",
    [
      { urlQuery: "gclid=1", gclid: "1" },
      { urlQuery: "fbclid=1", fbclid: "1" },
      { urlQuery: "msclkid=1", msclkid: "1" },
      { urlQuery: "ttclid=1", ttclid: "1" },
      { urlQuery: "li_fat_id=1", liFatId: "1" },
      { urlQuery: "twclid=1", twclid: "1" },
      ...["dclid", "gbraid", "wbraid", "yclid", "epik", "rdt_cid", "sccid", "scid", "ob_click_id"].flatMap((name) => [
        { urlQuery: `${name}=1` },
        { urlQuery: `a=b&${name.toUpperCase()}=1` }
      ]),
      ...["cpc", "CPC", "cpm", "cpv", "paid", "paid_social"].map((value) => medium(value)),
      from("google.com", { urlQuery: "gclid=1", gclid: "1" }),
      medium("cpc", { referrerDomain: "facebook.com" }),
      // A click id takes precedence over the medium.
      medium("email", { gclid: "1" })
    ]
  ],
  ["referral", ["referral", "app", "in-app", "link", "Referral"].map((value) => medium(value))],
  ["referral", [medium("referral", { referrerDomain: "google.com" })]],
  ["affiliate", [medium("affiliate"), medium("Affiliates", { referrerDomain: "facebook.com" })]],
  [
    "sms",
    [medium("sms"), { urlQuery: "utm_source=sms-blast", utmSource: "SMS-blast" }, medium("sms", from("google.com"))]
  ],
  [
    "organicSearch",
    [
      ...[
        "google.com",
        "www.google.com",
        "google.co.uk",
        "Google.com",
        "news.google.com",
        "bing.com",
        "search.yahoo.com",
        "search.yahoo.co.jp",
        "yandex.ru",
        "duckduckgo.com",
        "baidu.com",
        "search.naver.com",
        "ecosia.org",
        "qwant.com",
        "startpage.com",
        "kagi.com",
        "search.brave.com",
        "ask.com"
      ].map((domain) => from(domain)),
      medium("organic"),
      from("google.com", { hostname: "shop.example", urlQuery: "page=2" })
    ]
  ],
  [
    "paidSearch",
    ["ppc", "PPC", "retargeting", "paid-search", "prepaid", "p"].map((value) => medium(value, from("google.com")))
  ],
  [
    "organicSocial",
    [
      ...[
        "facebook.com",
        "l.facebook.com",
        "m.facebook.com",
        "instagram.com",
        "l.instagram.com",
        "t.co",
        "x.com",
        "twitter.com",
        "linkedin.com",
        "lnkd.in",
        "old.reddit.com",
        "pinterest.com",
        "pinterest.co.uk",
        "pin.it",
        "tiktok.com",
        "news.ycombinator.com",
        "bsky.app",
        "mastodon.social",
        "t.me",
        "vk.com",
        "weibo.com"
      ].map((domain) => from(domain)),
      medium("social"),
      medium("social-media", from("blog.example"))
    ]
  ],
  ["paidSocial", [medium("ppc", from("facebook.com")), medium("paidsocial"), medium("retargeting-social")]],
  [
    "email",
    [
      ...[
        "mail.google.com",
        "mail.yahoo.com",
        "outlook.live.com",
        "webmail.provider.example",
        "mail.ru",
        "web.de",
        "gmx.net"
      ].map((domain) => from(domain)),
      medium("email"),
      medium("e-mail"),
      medium("mailing", from("blog.example"))
    ]
  ],
  [
    "organicShopping",
    [
      ...["amazon.com", "amazon.co.uk", "smile.amazon.de", "ebay.com", "etsy.com", "aliexpress.com", "allegro.pl"].map(
        (domain) => from(domain)
      ),
      medium("shopping")
    ]
  ],
  ["paidShopping", [medium("ppc", from("amazon.de")), medium("paid-shopping")]],
  [
    "organicVideo",
    [
      ...["youtube.com", "m.youtube.com", "youtu.be", "vimeo.com", "twitch.tv", "dailymotion.com"].map((domain) =>
        from(domain)
      ),
      medium("video")
    ]
  ],
  ["paidVideo", [medium("ppc", from("youtube.com")), medium("paid-video")]],
  [
    "referral",
    [
      from("blog.example"),
      from("blog.example", { hostname: "shop.example", urlQuery: "a=b" }),
      from("co.uk"),
      from("localhost"),
      // Names that only contain the name of a search engine or social network.
      from("notgoogle.com"),
      from("google.example.com"),
      from("myfacebook.com"),
      medium("banner", from("blog.example"))
    ]
  ],
  [
    "",
    [
      { urlQuery: "a=b" },
      medium("banner"),
      { urlQuery: "utm_source=newsletter", utmSource: "newsletter" },
      { urlQuery: "a=b", hostname: "shop.example", referrerDomain: "shop.example" },
      // A name that only ends like a click id.
      { urlQuery: "myyclid=1" },
      { urlQuery: "q=gbraid" }
    ]
  ]
]

describe("an event's channel", () => {
  const describeSource = (source: Source): string =>
    Object.entries(source)
      .map(([column, value]) => `${column} ${value}`)
      .join(", ")
  const cases = RULES.flatMap(([channel, sources]) =>
    sources.map((source) => [channel, describeSource(source) || "no source", source] as const)
  )

  test.each(cases)("the channel is %p for %s", (channel, _, source) =>
    run(
      Effect.gen(function* () {
        const sql = yield* openClient(database, 1)
        const [row] = yield* sql.unsafe(
          `SELECT product_analytics_channel($1::text, $2::text, $3::text, $4::text, $5::text,
            coalesce($6::text, $7::text, $8::text, $9::text, $10::text, $11::text)) AS channel`,
          [
            source.referrerDomain ?? null,
            source.hostname ?? null,
            source.urlQuery ?? null,
            source.utmSource ?? null,
            source.utmMedium ?? null,
            source.gclid ?? null,
            source.fbclid ?? null,
            source.msclkid ?? null,
            source.ttclid ?? null,
            source.liFatId ?? null,
            source.twclid ?? null
          ]
        )
        expect(row).toEqual({ channel })
      })
    )
  )

  test("v_pa_events has the channel of each event", () =>
    run(
      Effect.gen(function* () {
        const sql = yield* openClient(database, 1)
        const storage = yield* openStorage(database)
        const expected = RULES.flatMap(([channel, sources]) =>
          sources.map((source) => ({ channel, record: event(source) }))
        )
        for (const { record } of expected) yield* storage.saveEvent(record)
        const rows = yield* sql.unsafe<{ id: string; channel: string }>("SELECT id, channel FROM v_pa_events")
        const found = new Map(rows.map(({ channel, id }) => [id, channel]))
        expect(expected.map(({ record }) => found.get(record.id))).toEqual(expected.map(({ channel }) => channel))
      })
    ))
})
