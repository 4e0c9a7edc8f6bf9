import type { EventRecord } from "../../src/domain/Event.ts"

/** The columns of an event that determine its channel. */
export type Source = Pick<
  Partial<EventRecord>,
  | "referrerDomain"
  | "hostname"
  | "urlQuery"
  | "utmSource"
  | "utmMedium"
  | "utmCampaign"
  | "utmTerm"
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

/** Every rule, in their order: the first that applies decides. */
export const CHANNEL_CASES: ReadonlyArray<readonly [channel: string, sources: ReadonlyArray<Source>]> = [
  [
    "direct",
    [
      {},
      { referrerDomain: "", urlQuery: "" },
      { hostname: "shop.example", referrerDomain: "shop.example" },
      { hostname: "www.shop.example", referrerDomain: "shop.example" },
      { hostname: "www.shop.example", referrerDomain: "www.shop.example" },
      { hostname: "Shop.Example:8080", referrerDomain: "shop.example" },
      { hostname: "xn--mller-kva.example", referrerDomain: "xn--mller-kva.example" },
      { urlQuery: "a=b", hostname: "shop.example", referrerDomain: "shop.example" },
      // Neither a referrer nor a campaign.
      { urlQuery: "a=b" },
      { urlQuery: "fbclid=1", fbclid: "1" },
      { utmSource: "", utmMedium: "", utmCampaign: "" },
      // Names that only end like a click id.
      { urlQuery: "myyclid=1" },
      { urlQuery: "q=gbraid" }
    ]
  ],
  [
    "paidAds",
    [
      { urlQuery: "gclid=1", gclid: "1" },
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
    "llm",
    [
      ...[
        "chatgpt.com",
        "www.chatgpt.com",
        "claude.ai",
        "copilot.microsoft.com",
        "gemini.google.com",
        "www.meta.ai",
        "perplexity.ai",
        "com.openai.chatgpt"
      ].map((domain) => from(domain)),
      from("chatgpt.com", { urlQuery: "utm_source=chatgpt.com", utmSource: "chatgpt.com" }),
      { urlQuery: "utm_source=chatgpt.com", utmSource: "chatgpt.com" }
    ]
  ],
  [
    "organicSearch",
    [
      from("com.google.android.googlequicksearchbox"),
      from("com.duckduckgo.mobile.android"),
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
      from("l.facebook.com", { urlQuery: "fbclid=1", fbclid: "1" }),
      from("com.facebook.katana"),
      from("org.telegram.messenger"),
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
        "com.google.android.gm",
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
      ...[
        "amazon.com",
        "amazon.co.uk",
        "smile.amazon.de",
        "ebay.com",
        "etsy.com",
        "com.amazon.mShop.android.shopping",
        "aliexpress.com",
        "allegro.pl"
      ].map((domain) => from(domain)),
      medium("shopping")
    ]
  ],
  ["paidShopping", [medium("ppc", from("amazon.de")), medium("paid-shopping")]],
  [
    "organicVideo",
    [
      ...[
        "youtube.com",
        "com.google.android.youtube",
        "m.youtube.com",
        "youtu.be",
        "vimeo.com",
        "twitch.tv",
        "dailymotion.com"
      ].map((domain) => from(domain)),
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
      from("google.example"),
      from("com.example.google.android"),
      from("com.example.app"),
      from("copilot.microsoft.com.example"),
      from("google.example.com"),
      from("myfacebook.com"),
      medium("banner", from("blog.example"))
    ]
  ],
  [
    "",
    [
      medium("banner"),
      { urlQuery: "utm_source=newsletter", utmSource: "newsletter" },
      { urlQuery: "utm_campaign=spring", utmCampaign: "spring" },
      { urlQuery: "utm_term=boots", utmTerm: "boots", referrerDomain: "shop.example", hostname: "www.shop.example" }
    ]
  ]
]
