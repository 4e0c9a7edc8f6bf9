import { type EventRecord, EventType, type IdentityRecord, type SessionRecord } from "../../domain/Event.ts"
import { EventId, SessionId, SiteId, VisitId } from "../../domain/ids.ts"
import { propertiesOf } from "../flattenProperties.ts"
import { NO_PAGE } from "../resolvePage.ts"
import {
  DEVICES,
  type Device,
  LAUNCH,
  NEXT,
  PLACES,
  PLANS,
  type Place,
  SOURCES,
  type Source,
  TITLES,
  type Weighted
} from "./demoVisitors.ts"

export const DEMO_SITE_ID = SiteId.make("00000000-d3e0-4000-8000-000000000001")
export const DEMO_DAYS = 90
const HOST = "notes.example"

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** Numbers from 0 to 1 that depend only on the seed: https://en.wikipedia.org/wiki/Xorshift */
class Dice {
  #state: number
  constructor(seed: number) {
    // Neighboring seeds must not begin alike.
    this.#state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) >>> 0 || 1
    for (let turn = 0; turn < 8; turn++) this.roll()
  }

  roll(): number {
    let state = this.#state
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    this.#state = state >>> 0
    return this.#state / 2 ** 32
  }

  chance(share: number): boolean {
    return this.roll() < share
  }

  between(least: number, most: number): number {
    return least + this.roll() * (most - least)
  }

  pick<A>(choices: ReadonlyArray<Weighted<A>>): A {
    let place = this.roll() * choices.reduce((sum, { weight }) => sum + weight, 0)
    for (const { value, weight } of choices) {
      place -= weight
      if (place < 0) return value
    }
    return choices.at(-1)!.value
  }

  /** So many hexadecimal digits. */
  hex(digits: number): string {
    let text = ""
    while (text.length < digits)
      text += Math.floor(this.roll() * 2 ** 24)
        .toString(16)
        .padStart(6, "0")
    return text.slice(0, digits)
  }

  /** A UUID of this version; its first 48 bits are `time`, or random. */
  uuid(version: 5 | 7, time: number | null = null): string {
    const head = time === null ? this.hex(12) : Math.floor(time).toString(16).padStart(12, "0")
    return `${head.slice(0, 8)}-${head.slice(8)}-${version}${this.hex(3)}-a${this.hex(3)}-${this.hex(12)}`
  }
}

interface Visitor {
  readonly place: Place
  readonly device: Device
  readonly source: Source
  /** Whether it signed up, with which plan. */
  plan: string | null
  session: SessionRecord | null
  readonly id: string
}

const NO_FIELDS = {
  name: null,
  tag: null,
  revenue: null,
  currency: null,
  properties: [],
  ...NO_PAGE,
  hostname: HOST,
  lcp: null,
  inp: null,
  fcp: null,
  ttfb: null,
  cls: null
} as const

/** What happens on the demo site. */
export type DemoRecord =
  | { readonly kind: "event"; readonly record: EventRecord }
  | { readonly kind: "identity"; readonly record: IdentityRecord }

/** Visits are rarer on weekends and at night. Sunday is 0. */
const WEEKDAY = [0.6, 1.05, 1.12, 1.1, 1.08, 0.95, 0.58]
const AWAKE = [
  1, 0.5, 0.3, 0.2, 0.2, 0.4, 1, 2, 3.5, 5, 5.5, 5.5, 4.5, 5, 5.5, 5.5, 5, 4.5, 4, 4, 4.5, 4.5, 3.5, 2
].map((weight, value) => ({ value, weight }))

/** The visits of one visitor, as records in the order of time. */
class Journey {
  readonly #dice: Dice
  readonly #visitor: Visitor
  readonly #visitId: string
  #at: number
  readonly records: Array<DemoRecord> = []

  constructor(dice: Dice, visitor: Visitor, at: number) {
    this.#dice = dice
    this.#visitor = visitor
    this.#at = at
    this.#visitId = dice.uuid(5)
  }

  /** Pages until the visitor leaves. The first visit comes from the visitor's source, later ones often directly. */
  walk(isFirst: boolean): void {
    const { plan, source } = this.#visitor
    const fromSource = isFirst || this.#dice.chance(0.35)
    let page: string | null = plan !== null && this.#dice.chance(0.7) ? "/app" : this.#dice.pick(source.entries)
    for (let views = 0; page !== null && views < 12; views++) {
      this.#view(page, views === 0 && fromSource ? source : null)
      this.#act(page)
      this.#at += this.#dice.between(6, 90) * SECOND * (page.startsWith("/blog/") ? 2 : 1)
      page = this.#dice.pick(NEXT[page]!)
    }
  }

  #session(path: string, source: Source | null): SessionRecord {
    const { device, id, place } = this.#visitor
    this.#visitor.session ??= {
      id: SessionId.make(id),
      siteId: DEMO_SITE_ID,
      distinctId: null,
      ...device,
      country: place.country,
      region: place.region,
      city: place.city,
      language: place.language,
      createdAt: this.#at,
      firstPath: path,
      firstReferrerDomain: source?.referrer ?? null,
      firstUtmSource: source?.source ?? null,
      firstUtmMedium: source?.medium ?? null,
      firstUtmCampaign: source?.campaign ?? null
    }
    return this.#visitor.session
  }

  #event(path: string, fields: Partial<EventRecord> & Pick<EventRecord, "type">): void {
    const session = this.#session(path, null)
    this.records.push({
      kind: "event",
      record: {
        ...NO_FIELDS,
        id: EventId.make(this.#dice.uuid(7, this.#at)),
        siteId: DEMO_SITE_ID,
        sessionId: session.id,
        visitId: VisitId.make(this.#visitId),
        createdAt: this.#at,
        urlPath: path,
        pageTitle: TITLES[path] ?? null,
        session,
        ...fields
      }
    })
  }

  #view(path: string, source: Source | null): void {
    this.#session(path, source)
    const paid = source?.gclid === true ? `demo-${this.#dice.hex(10)}` : null
    this.#event(path, {
      type: EventType.pageview,
      ...(source !== null && {
        referrerDomain: source.referrer,
        referrerPath: source.referrer === null ? null : "/",
        utmSource: source.source,
        utmMedium: source.medium,
        utmCampaign: source.campaign,
        gclid: paid,
        urlQuery:
          source.source === null
            ? null
            : new URLSearchParams({
                utm_source: source.source,
                utm_medium: source.medium ?? "",
                utm_campaign: source.campaign ?? "",
                ...(paid !== null && { gclid: paid })
              }).toString()
      })
    })
    if (this.#dice.chance(0.25)) this.#vitals(path)
  }

  #vitals(path: string): void {
    const slow = this.#visitor.device.device === "mobile" ? 1.6 : 1
    const tenth = (value: number) => Math.round(value * 10) / 10
    this.#at += 3 * SECOND
    this.#event(path, {
      type: EventType.performance,
      lcp: tenth(this.#dice.between(700, 2_300) * slow),
      inp: tenth(this.#dice.between(30, 190) * slow),
      fcp: tenth(this.#dice.between(400, 1_500) * slow),
      ttfb: tenth(this.#dice.between(60, 500) * slow),
      cls: Math.round(this.#dice.between(0, 0.12) * 10_000) / 10_000
    })
  }

  /** What the visitor does on a page. */
  #act(page: string): void {
    const dice = this.#dice
    if (page.startsWith("/blog/") && dice.chance(0.06)) {
      this.#do(page, "subscribe", { list: "monthly-digest" })
    } else if (page === "/docs/import" && dice.chance(0.3)) {
      this.#do(page, "download", { file: dice.chance(0.7) ? "importer-mac.dmg" : "importer-win.exe" })
    } else if (page === "/signup" && this.#visitor.plan === null && dice.chance(0.45)) this.#signUp(page)
    else if (page === "/checkout" && this.#visitor.plan !== null && dice.chance(0.7)) this.#buy(page)
    else if (page === "/app" && this.#visitor.plan !== null) {
      this.#do(page, "note_created", { words: Math.round(dice.between(5, 400)) })
    }
  }

  #do(page: string, name: string, data: Readonly<Record<string, unknown>>, fields: Partial<EventRecord> = {}): void {
    this.#at += Math.round(this.#dice.between(4, 40)) * SECOND
    this.#event(page, { type: EventType.custom, name, properties: propertiesOf(data), ...fields })
  }

  #signUp(page: string): void {
    const { plan } = this.#dice.pick(PLANS)
    const seats = plan === "team" ? Math.round(this.#dice.between(3, 25)) : 1
    this.#visitor.plan = plan
    this.#do(page, "signup", { plan, seats, trial: plan !== "free" })
    const session = { ...this.#session(page, null), distinctId: `user-${this.#visitor.id.slice(0, 8)}` }
    this.#visitor.session = session
    this.records.push({
      kind: "identity",
      record: { session, properties: propertiesOf({ plan, seats }), createdAt: this.#at }
    })
  }

  #buy(page: string): void {
    const { plan, price } = PLANS.find(({ value }) => value.plan === this.#visitor.plan)!.value
    const revenue = price === 0 ? 8 : price
    const currency = ["US", "CA"].includes(this.#visitor.place.country) ? "USD" : "EUR"
    this.#do(page, "purchase", { plan, revenue, currency, yearly: this.#dice.chance(0.3) }, { revenue, currency })
  }
}

const dayStart = (at: number): number => Math.floor(at / DAY) * DAY

const newVisitor = (dice: Dice, isLaunch: boolean): Visitor => ({
  id: dice.uuid(5),
  place: dice.pick(PLACES),
  device: dice.pick(DEVICES),
  source: isLaunch && dice.chance(0.65) ? LAUNCH.source : dice.pick(SOURCES),
  plan: null,
  session: null
})

/** Visitors who come for the first time on a day: more from month to month, fewer on weekends, many at the launch. */
const newcomers = (dice: Dice, day: number, daysAgo: number): number => {
  const growth = 70 + (DEMO_DAYS - daysAgo) * 0.7
  const launched = daysAgo === LAUNCH.daysAgo ? 3.2 : daysAgo === LAUNCH.daysAgo - 1 ? 1.7 : 1
  return Math.round(growth * WEEKDAY[new Date(day).getUTCDay()]! * launched * dice.between(0.88, 1.12))
}

/** A moment of a day at which people there are awake. */
const momentOf = (dice: Dice, day: number, { hours }: Place): number =>
  day + (((dice.pick(AWAKE) - hours + 24) % 24) + dice.roll()) * HOUR

/**
 * 90 days of a site up to `now` (ms since the epoch), day by day, each in the order of time. The same `now` always gives the same records.
 */
export function* demoRecords(now: number): Generator<ReadonlyArray<DemoRecord>> {
  const today = dayStart(now)
  const returning = new Map<number, Array<Visitor>>()
  const comesBack = (dice: Dice, visitor: Visitor, day: number) => {
    const days = visitor.plan === null ? Math.ceil(dice.between(1, 16)) : Math.ceil(dice.between(0.5, 6))
    const at = day + days * DAY
    returning.set(at, [...(returning.get(at) ?? []), visitor])
  }
  for (let daysAgo = DEMO_DAYS - 1; daysAgo >= 0; daysAgo--) {
    const day = today - daysAgo * DAY
    const dice = new Dice(day / DAY)
    const records: Array<DemoRecord> = []
    const visit = (visitor: Visitor, isFirst: boolean) => {
      const journey = new Journey(dice, visitor, Math.floor(momentOf(dice, day, visitor.place)))
      journey.walk(isFirst)
      records.push(...journey.records)
      if (dice.chance(visitor.plan === null ? 0.22 : 0.8)) comesBack(dice, visitor, day)
    }
    for (let count = newcomers(dice, day, daysAgo); count > 0; count--) {
      visit(newVisitor(dice, daysAgo === LAUNCH.daysAgo), true)
    }
    for (const visitor of returning.get(day) ?? []) visit(visitor, false)
    returning.delete(day)
    yield records
      .filter(({ record }) => record.createdAt <= now)
      .sort((one, other) => one.record.createdAt - other.record.createdAt)
  }
}
