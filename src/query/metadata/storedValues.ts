import type { ShownValue } from "../../domain/FieldStats.ts"
import { CHANNELS } from "../channel/channel.ts"
import type { Labels } from "./labels.ts"
import type { ViewColumn } from "./views.ts"

/*
 * How values are stored that people write in another way: `desktop` for "Desktop", `DE` for "Germany". Clients may send other devices,
 * browsers and systems than these, so these lists only suggest.
 */

const DEVICES = ["desktop", "laptop", "mobile", "tablet", "smarttv", "console", "xr", "wearable", "embedded"]

const BROWSERS = [
  ...["chrome", "crios", "firefox", "fxios", "safari", "ios", "ios-webview", "edge", "edge-chromium", "edge-ios"],
  ...[
    "opera",
    "opera-mini",
    "samsung",
    "android",
    "silk",
    "miui",
    "yandexbrowser",
    "facebook",
    "instagram",
    "kakaotalk"
  ],
  ...["ie", "aol", "curl", "searchbot"]
]

const SYSTEMS = [
  ...["Windows 10", "Windows 8.1", "Windows 8", "Windows 7", "Windows Vista", "Windows XP", "Windows Mobile"],
  ...["Mac OS", "iOS", "Android OS", "Chrome OS", "Linux", "Amazon OS", "BlackBerry OS", "Open BSD"]
]

const VALUES: Readonly<Record<string, ReadonlyArray<string>>> = {
  browser: BROWSERS,
  channel: CHANNELS.filter((name) => name !== ""),
  device: DEVICES,
  os: SYSTEMS
}

const LETTERS = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZ"]

/** Without what people write differently: capitals, spaces and punctuation. */
const plain = (value: ShownValue): string =>
  String(value)
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}]/gu, "")

/** The codes of countries, by themselves and by their English names. */
const makeCountryCodes = (): ReadonlyMap<string, string> => {
  const names = new Intl.DisplayNames("en", { type: "region", fallback: "none" })
  const codes = LETTERS.flatMap((first) => LETTERS.map((second) => first + second))
  return new Map(
    codes.flatMap((code) => {
      const name = names.of(code)
      return name === undefined ? [] : [[plain(code), code] as const, [plain(name), code] as const]
    })
  )
}

let countries: ReadonlyMap<string, string> | null = null

/** Made when the first question needs it. */
const countryCodes = (): ReadonlyMap<string, string> => {
  countries ??= makeCountryCodes()
  return countries
}

const CODE_OF_CURRENCY = /^[a-z]{3}$/i

const storedIn = ({ name, semantic }: ViewColumn, given: string): ShownValue | null => {
  if (semantic === "Country") return countryCodes().get(plain(given)) ?? null
  if (semantic === "Currency") return CODE_OF_CURRENCY.test(given) ? given.toUpperCase() : null
  return VALUES[name]?.find((value) => plain(value) === plain(given)) ?? null
}

/** The stored value that a person probably means by another one; null if there is none, or if it is stored like this. */
export const storedValue = (column: ViewColumn | null, labels: Labels | null, given: unknown): ShownValue | null => {
  if (typeof given !== "string" || plain(given) === "" || labels?.has(given) === true) return null
  const labeled = [...(labels ?? [])].find(([, label]) => plain(label) === plain(given))
  const stored = labeled?.[0] ?? (column === null ? null : storedIn(column, given))
  return stored === given ? null : stored
}
