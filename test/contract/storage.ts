import { describe, expect, test } from "bun:test"
import { Effect, Fiber, type Scope } from "effect"
import fc from "fast-check"
import { SIZE } from "../../src/domain/columnSizes.ts"
import {
  DataType,
  type EventRecord,
  EventType,
  type IdentityRecord,
  type Property,
  type SessionRecord
} from "../../src/domain/Event.ts"
import { MAX_TIMESTAMP, MIN_TIMESTAMP } from "../../src/pipeline/limits.ts"
import type { Storage } from "../../src/ports/Storage.ts"
import {
  stored as allStored,
  event,
  events,
  identity,
  NOW,
  type Stored,
  saveAll,
  session,
  sessionsOf,
  text,
  untilWaiting
} from "../support/collect/records.ts"
import { run } from "../support/postgres/controlPlane.ts"
import { agreesWithModel, groupsOfSaves } from "./storageModel.ts"

export interface OpenedStorage {
  readonly storage: Storage["Service"]
  /** What the storage has stored. */
  readonly read: Effect.Effect<Stored>
  /** Until the scope closes, records are accepted but not stored. */
  readonly hold: Effect.Effect<void, never, Scope.Scope>
}

/** The maximum of waiting records, where it does not matter. */
const MANY = 10_000

const PROPERTIES: ReadonlyArray<readonly [name: string, property: Property]> = [
  ["a string", text("plan", "Team, yearly")],
  ["an empty string", text("plan", "")],
  ["a number", { key: "seats", type: DataType.number, string: "12.5000", number: 12.5, date: null }],
  ["a number without a value", { key: "big", type: DataType.number, string: "1e+21", number: null, date: null }],
  ["true", { key: "trial", type: DataType.boolean, string: "true", number: null, date: null }],
  ["false", { key: "trial", type: DataType.boolean, string: "false", number: null, date: null }],
  [
    "a date",
    {
      key: "until",
      type: DataType.date,
      string: "2026-02-28T23:59:59.999Z",
      number: null,
      date: Date.UTC(2026, 1, 28, 23, 59, 59, 999)
    }
  ],
  ["an array", { key: "tags", type: DataType.array, string: '["a",{"b":[1,null]}]', number: null, date: null }],
  ["a key of dots and quotes", text("a.b.\"c\"'d'\\e", "v")]
]

const NUMBERS = [0, 0.0001, -0.0001, 1, -1, 123_456_789.1234, 999_999_999_999_999, -999_999_999_999_999]

/** Strings of a length in UTF-16 units. */
const STRINGS: ReadonlyArray<readonly [content: string, fill: (units: number) => string]> = [
  ["letters", (units) => "a".repeat(units)],
  ["emoji", (units) => "\u{1f600}".repeat(units >> 1)],
  ["ideographs", (units) => "\u8a9e".repeat(units)],
  ["quotes, backslashes and control characters", (units) => "\"'\\\n\u0001$1{},%".repeat(50).slice(0, units)],
  ["spaces", (units) => " ".repeat(units)],
  ["no characters", () => ""]
]

const filledSession = (fill: (units: number) => string): SessionRecord =>
  session({
    distinctId: fill(SIZE.distinctId),
    browser: fill(SIZE.agentPart),
    os: fill(SIZE.agentPart),
    device: fill(SIZE.agentPart),
    screen: fill(SIZE.screen),
    language: fill(SIZE.language),
    country: "GB",
    region: fill(SIZE.region),
    city: fill(SIZE.city),
    firstPath: fill(SIZE.url),
    firstReferrerDomain: fill(SIZE.url),
    firstUtmSource: fill(SIZE.campaign),
    firstUtmMedium: fill(SIZE.campaign),
    firstUtmCampaign: fill(SIZE.campaign)
  })

const filledEvent = (fill: (units: number) => string): EventRecord =>
  event({
    session: filledSession(fill),
    type: EventType.custom,
    name: fill(SIZE.eventName),
    tag: fill(SIZE.tag),
    revenue: 49.9,
    currency: fill(SIZE.currency),
    urlPath: fill(SIZE.url),
    urlQuery: fill(SIZE.url),
    hostname: fill(SIZE.hostname),
    pageTitle: fill(SIZE.pageTitle),
    referrerPath: fill(SIZE.url),
    referrerQuery: fill(SIZE.url),
    referrerDomain: fill(SIZE.url),
    utmSource: fill(SIZE.campaign),
    utmMedium: fill(SIZE.campaign),
    utmCampaign: fill(SIZE.campaign),
    utmContent: fill(SIZE.campaign),
    utmTerm: fill(SIZE.campaign),
    gclid: fill(SIZE.campaign),
    fbclid: fill(SIZE.campaign),
    msclkid: fill(SIZE.campaign),
    ttclid: fill(SIZE.campaign),
    liFatId: fill(SIZE.campaign),
    twclid: fill(SIZE.campaign),
    properties: [text(fill(SIZE.dataKey), fill(SIZE.stringValue))]
  })

/** Events with a value in only one of the nullable columns (a currency requires an amount), which shows values in the wrong column. */
const LONE_COLUMNS: ReadonlyArray<Partial<EventRecord>> = [
  { name: "signup" },
  { tag: "variant-b" },
  { revenue: 12.5, currency: "EUR" },
  { urlQuery: "a=1" },
  { hostname: "shop.example" },
  { pageTitle: "Shop" },
  { referrerPath: "/search" },
  { referrerQuery: "q=shop" },
  { referrerDomain: "google.com" },
  { utmSource: "newsletter" },
  { utmMedium: "email" },
  { utmCampaign: "spring" },
  { utmContent: "footer" },
  { utmTerm: "shoes" },
  { gclid: "g" },
  { fbclid: "f" },
  { msclkid: "m" },
  { ttclid: "t" },
  { liFatId: "l" },
  { twclid: "x" },
  { type: EventType.performance, lcp: 2_500.1 },
  { type: EventType.performance, inp: 200 },
  { type: EventType.performance, fcp: 1_800 },
  { type: EventType.performance, ttfb: 0 },
  { type: EventType.performance, cls: 0.0001 }
]

/** A name that is too long for every storage, and that no message may quote. */
const POISON_NAME = "poison".repeat(9)
const poison = (): EventRecord => event({ type: EventType.custom, name: POISON_NAME })

/**
 * What every storage must do. `open` returns an empty one that is open until the scope closes and accepts at most `maxPending`
 * records while it is held.
 */
export const storageContract = (
  name: string,
  open: (options: { readonly maxPending: number }) => Effect.Effect<OpenedStorage, never, Scope.Scope>,
  /** The part of the records that the storage keeps; by default, all of them. */
  kept: (records: Stored) => Stored = (records) => records
): void => {
  const stored = (records: Parameters<typeof allStored>[0]) => kept(allStored(records))
  const check = (body: (opened: OpenedStorage) => Effect.Effect<void, unknown, Scope.Scope>, maxPending = MANY) =>
    run(Effect.flatMap(open({ maxPending }), body))

  describe(`${name}: events`, () => {
    test("an event, its session and its properties are stored when saveEvent succeeds", () =>
      check(({ read, storage }) =>
        Effect.gen(function* () {
          const record = event({ properties: [text("plan", "Team"), text("source", "ad")] })
          yield* storage.saveEvent(record)
          expect(yield* read).toEqual(stored({ events: [record], sessions: sessionsOf([record]) }))
        })
      ))

    test("an event that is saved several times, in turn or at the same time, is stored once", () =>
      check(({ read, storage }) =>
        Effect.gen(function* () {
          const record = event({ properties: [text("plan", "Team")] })
          yield* storage.saveEvent(record)
          yield* storage.saveEvent(record)
          expect(yield* saveAll(storage, [record, record, record])).toEqual(["stored", "stored", "stored"])
          expect(yield* read).toEqual(stored({ events: [record], sessions: sessionsOf([record]) }))
        })
      ))

    test("an event without a session is stored without one", () =>
      check(({ read, storage }) =>
        Effect.gen(function* () {
          const record = event({ session: null })
          yield* storage.saveEvent(record)
          expect(yield* read).toEqual(stored({ events: [record] }))
        })
      ))

    test("many events saved at the same time are all stored", () =>
      check(({ read, storage }) =>
        Effect.gen(function* () {
          const records = events(2_500, (index) => ({
            createdAt: NOW - index,
            properties: index % 5 === 0 ? [text("index", String(index)), text("plan", "Team")] : []
          }))
          expect(new Set(yield* saveAll(storage, records))).toEqual(new Set(["stored"]))
          expect(yield* read).toEqual(stored({ events: records, sessions: sessionsOf(records) }))
        })
      ))

    test("events of a new session saved at the same time store one session", () =>
      check(({ read, storage }) =>
        Effect.gen(function* () {
          const visitor = session({ browser: "firefox" })
          const records = events(200, () => ({ session: visitor }))
          expect(new Set(yield* saveAll(storage, records))).toEqual(new Set(["stored"]))
          expect(yield* read).toEqual(stored({ events: records, sessions: [visitor] }))
        })
      ))

    test("a session keeps the values of its first event", () =>
      check(({ read, storage }) =>
        Effect.gen(function* () {
          const first = event({ session: session({ browser: "firefox", country: "GB", firstPath: "/a" }) })
          const later = event({
            session: { ...first.session!, browser: "chrome", country: null, firstPath: "/b", distinctId: "ann" }
          })
          yield* storage.saveEvent(first)
          yield* storage.saveEvent(later)
          expect(yield* read).toEqual(stored({ events: [first, later], sessions: sessionsOf([first]) }))
        })
      ))

    test("a session has the values of its earliest event, whatever the order of arrival", () =>
      check(({ read, storage }) =>
        Effect.gen(function* () {
          const visitor = session({
            createdAt: NOW - 2_000,
            firstPath: "/second",
            browser: "firefox",
            distinctId: "ann"
          })
          const at = (createdAt: number, fields: Partial<SessionRecord>) =>
            event({ createdAt, session: { ...visitor, createdAt, ...fields } })
          const second = at(NOW - 2_000, {})
          const fourth = at(NOW, { firstPath: "/fourth" })
          const first = at(NOW - 3_000, {
            firstPath: "/first",
            firstUtmSource: "news",
            country: "GB",
            browser: "chrome"
          })
          const third = at(NOW - 1_000, { firstPath: "/third" })
          for (const record of [second, fourth, first, third]) yield* storage.saveEvent(record)
          expect(yield* read).toEqual(stored({ events: [first, second, third, fourth], sessions: [first.session!] }))
        })
      ))

    test("a session has the values of the earliest of events saved at the same time", () =>
      check(({ read, storage }) =>
        Effect.gen(function* () {
          const visitor = session()
          const records = events(50, (index) => {
            const createdAt = NOW - ((index * 7) % 50) * 1_000
            return { createdAt, session: { ...visitor, createdAt, firstPath: `/${index}` } }
          })
          yield* saveAll(storage, records)
          const [earliest] = records.toSorted((a, b) => a.createdAt - b.createdAt)
          expect((yield* read).sessions).toEqual([earliest!.session!])
        })
      ))

    test("an earlier identity moves a session's start, and a later one does not", () =>
      check(({ read, storage }) =>
        Effect.gen(function* () {
          const visitor = session({ createdAt: NOW, firstPath: "/event" })
          yield* storage.saveEvent(event({ session: visitor }))
          yield* storage.saveIdentity(
            identity({ ...visitor, createdAt: NOW + 5, firstPath: "/later", distinctId: "ann" })
          )
          const earlier = { ...visitor, createdAt: NOW - 5, firstPath: "/earlier", distinctId: null }
          yield* storage.saveIdentity(identity(earlier))
          expect((yield* read).sessions).toEqual([{ ...earlier, distinctId: "ann" }])
        })
      ))

    test("an invalid record is refused on its own, and no part of it is stored", () =>
      check(({ read, storage }) =>
        Effect.gen(function* () {
          const good = events(40, () => ({ properties: [text("plan", "Team")] }))
          const records = good.toSpliced(30, 0, poison()).toSpliced(7, 0, poison())
          const outcomes = yield* saveAll(storage, records)
          expect(outcomes.flatMap((outcome, index) => (outcome === "stored" ? [] : [[index, outcome]]))).toEqual([
            [7, "Refused"],
            [31, "Refused"]
          ])
          expect(yield* read).toEqual(stored({ events: good, sessions: sessionsOf(good) }))
        })
      ))

    test("a refusal does not quote the record", () =>
      check(({ storage }) =>
        Effect.gen(function* () {
          const refused = yield* Effect.flip(storage.saveEvent(poison()))
          expect(refused).toMatchObject({ _tag: "StorageError", reason: "Refused" })
          expect(refused.message).not.toContain("poison")
          expect((yield* storage.status).lastError).not.toContain("poison")
        })
      ))
  })

  describe(`${name}: values`, () => {
    const roundTrip = (...records: ReadonlyArray<EventRecord>) =>
      check(({ read, storage }) =>
        Effect.gen(function* () {
          expect(new Set(yield* saveAll(storage, records))).toEqual(new Set(["stored"]))
          expect(yield* read).toEqual(stored({ events: records, sessions: sessionsOf(records) }))
        })
      )

    test("properties of every type are stored unchanged", () =>
      roundTrip(
        ...PROPERTIES.map(([_, property]) => event({ type: EventType.custom, name: "e", properties: [property] }))
      ))

    test("attributes of every type are stored unchanged", () =>
      check(({ read, storage }) =>
        Effect.gen(function* () {
          const visitors = PROPERTIES.map(([_, property]) => identity(session(), [property]))
          yield* Effect.forEach(visitors, (record) => storage.saveIdentity(record), { concurrency: "unbounded" })
          expect(yield* read).toEqual(
            stored({
              sessions: visitors.map((record) => record.session),
              attributes: visitors.map((record) => ({ ...record.properties[0]!, sessionId: record.session.id }))
            })
          )
        })
      ))

    test("events of every type are stored unchanged", () =>
      roundTrip(
        ...Object.values(EventType).map((type) => event({ type, name: type === EventType.custom ? "e" : null }))
      ))

    test.each(STRINGS)("strings of the maximum length, of %s, are stored unchanged", (_, fill) =>
      roundTrip(filledEvent(fill))
    )

    test("an event with a value in only one column is stored unchanged", () =>
      roundTrip(...LONE_COLUMNS.map((column) => event(column))))

    test("numbers at the limits of their columns are stored unchanged", () =>
      roundTrip(
        ...NUMBERS.map((number) =>
          event({ properties: [{ key: "n", type: DataType.number, string: number.toFixed(4), number, date: null }] })
        ),
        ...[0.0001, 0.01, 999_999_999_999_999].map((revenue) => event({ revenue, currency: "EUR" })),
        ...[0, 0.1, 60_000].map((ms) =>
          event({ type: EventType.performance, lcp: ms, inp: ms, fcp: ms, ttfb: ms, cls: ms })
        )
      ))

    test("times at the accepted limits, and milliseconds, are stored unchanged", () =>
      roundTrip(
        ...[
          MIN_TIMESTAMP * 1_000,
          -1_000,
          0,
          NOW - (NOW % 1_000) + 1,
          NOW - (NOW % 1_000) + 999,
          MAX_TIMESTAMP * 1_000
        ].map((createdAt) => event({ createdAt, session: session({ createdAt }) })),
        ...["0000-01-01T00:00:00.000Z", "1969-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"].map((string) =>
          event({ properties: [{ key: "d", type: DataType.date, string, number: null, date: Date.parse(string) }] })
        )
      ))

    test("any string is stored unchanged", () =>
      check(({ read, storage }) =>
        Effect.gen(function* () {
          const records: Array<EventRecord> = []
          fc.assert(
            fc.property(
              fc.string({ unit: "binary", maxLength: 100 }),
              fc.string({ unit: "binary", maxLength: 100 }),
              (a, b) => {
                // The pipeline limits sizes and removes NULs.
                const [key, value] = [a.replaceAll("\0", ""), b.replaceAll("\0", "")]
                records.push(event({ pageTitle: value, urlPath: key, properties: [text(key, value)] }))
              }
            ),
            { numRuns: 300 }
          )
          expect(new Set(yield* saveAll(storage, records))).toEqual(new Set(["stored"]))
          expect(yield* read).toEqual(stored({ events: records, sessions: sessionsOf(records) }))
        })
      ))
  })

  describe(`${name}: identities`, () => {
    const saveInTurn = (storage: Storage["Service"], records: ReadonlyArray<IdentityRecord>) =>
      Effect.forEach(records, (record) => storage.saveIdentity(record), { discard: true })
    const saveAtOnce = (storage: Storage["Service"], records: ReadonlyArray<IdentityRecord>) =>
      Effect.forEach(records, (record) => storage.saveIdentity(record), { discard: true, concurrency: "unbounded" })

    describe("the distinct id of a session", () => {
      test.each<[string, ReadonlyArray<string | null>, string | null]>([
        ["that starts with one keeps it", ["ann"], "ann"],
        ["that has none is set by an identity", [null, "ann"], "ann"],
        ["is not replaced by another", ["ann", "bob"], "ann"],
        ["is not removed by an identity without one", ["ann", null], "ann"],
        ["is the first of several", [null, null, "ann", "bob", null], "ann"],
        ["is null until an identity has one", [null, null], null]
      ])("the distinct id of a session %s", async (_, given, expected) => {
        for (const save of [saveInTurn, saveAtOnce]) {
          await check(({ read, storage }) =>
            Effect.gen(function* () {
              const visitor = session({ browser: "firefox" })
              yield* save(
                storage,
                given.map((distinctId) => identity({ ...visitor, distinctId }))
              )
              expect((yield* read).sessions).toEqual([{ ...visitor, distinctId: expected }])
            })
          )
        }
      })
    })

    test("an identity adds to a session that an event created, and changes nothing else", () =>
      check(({ read, storage }) =>
        Effect.gen(function* () {
          const record = event({ session: session({ browser: "firefox", city: "London" }) })
          yield* storage.saveEvent(record)
          yield* storage.saveIdentity(
            identity({ ...record.session!, browser: "chrome", city: null, distinctId: "ann" }, [text("plan", "Team")])
          )
          expect(yield* read).toEqual(
            stored({
              events: [record],
              sessions: [{ ...record.session!, distinctId: "ann" }],
              attributes: [{ ...text("plan", "Team"), sessionId: record.sessionId }]
            })
          )
        })
      ))

    test("an event after an identity does not change the session", () =>
      check(({ read, storage }) =>
        Effect.gen(function* () {
          const visitor = session({ distinctId: "ann", browser: "firefox" })
          yield* storage.saveIdentity(identity(visitor))
          const record = event({ session: { ...visitor, distinctId: null, browser: "chrome" } })
          yield* storage.saveEvent(record)
          expect(yield* read).toEqual(stored({ events: [record], sessions: [visitor] }))
        })
      ))

    test("an attribute has its latest value and type, and others keep theirs", () =>
      check(({ read, storage }) =>
        Effect.gen(function* () {
          const visitor = session()
          const seats: Property = { key: "plan", type: DataType.number, string: "5.0000", number: 5, date: null }
          yield* saveInTurn(storage, [
            identity(visitor, [text("plan", "Team"), text("role", "owner")]),
            identity(visitor, [seats]),
            identity(visitor, [])
          ])
          expect((yield* read).attributes).toEqual([
            { ...seats, sessionId: visitor.id },
            { ...text("role", "owner"), sessionId: visitor.id }
          ])
        })
      ))

    test("of identities saved at the same time, the last one counts", () =>
      check(({ read, storage }) =>
        Effect.gen(function* () {
          const visitor = session()
          yield* saveAtOnce(
            storage,
            Array.from({ length: 200 }, (_, index) => identity(visitor, [text("step", String(index))]))
          )
          expect((yield* read).attributes).toEqual([{ ...text("step", "199"), sessionId: visitor.id }])
        })
      ))

    test("two identities of a session saved at the same time both store their attributes", () =>
      check(({ read, storage }) =>
        Effect.gen(function* () {
          const visitor = session()
          yield* saveAtOnce(storage, [
            identity({ ...visitor, distinctId: "ann" }, [text("plan", "Team")]),
            identity(visitor, [text("role", "owner")])
          ])
          expect(yield* read).toEqual(
            stored({
              sessions: [{ ...visitor, distinctId: "ann" }],
              attributes: [text("plan", "Team"), text("role", "owner")].map((value) => ({
                ...value,
                sessionId: visitor.id
              }))
            })
          )
        })
      ))
  })

  describe(`${name}: waiting`, () => {
    test("flush succeeds when every accepted record is stored, and not before", () =>
      check(({ hold, read, storage }) =>
        Effect.gen(function* () {
          const records = events(50)
          const visitor = session()
          const flush = yield* Effect.scoped(
            Effect.gen(function* () {
              yield* hold
              yield* Effect.forkDetach(saveAll(storage, records), { startImmediately: true })
              yield* Effect.forkDetach(storage.saveIdentity(identity(visitor)), { startImmediately: true })
              yield* untilWaiting(storage, 51)
              const flush = yield* Effect.forkDetach(storage.flush, { startImmediately: true })
              expect((yield* read).events).toEqual([])
              expect(flush.pollUnsafe()).toBeUndefined()
              return flush
            })
          )
          yield* Fiber.join(flush)
          expect(yield* read).toEqual(stored({ events: records, sessions: [...sessionsOf(records), visitor] }))
        })
      ))

    test("flush ends when one of the accepted records is refused", () =>
      check(({ hold, storage }) =>
        Effect.gen(function* () {
          const flush = yield* Effect.scoped(
            Effect.gen(function* () {
              yield* hold
              yield* Effect.forkDetach(saveAll(storage, [poison(), event()]), { startImmediately: true })
              // A storage that validates records first never accepts the invalid one.
              yield* Effect.race(untilWaiting(storage, 2), untilWaiting(storage, 1))
              return yield* Effect.forkDetach(Effect.exit(storage.flush), { startImmediately: true })
            })
          )
          yield* Fiber.join(flush)
          expect((yield* storage.status).pendingRecords).toBe(0)
        })
      ))

    test("flush of an idle storage succeeds at once", () => check(({ storage }) => storage.flush))

    test("a record beyond the maximum fails at once with Overloaded, and those before it are stored", () =>
      check(
        ({ hold, read, storage }) =>
          Effect.gen(function* () {
            const records = events(100)
            const saved = yield* Effect.scoped(
              Effect.gen(function* () {
                yield* hold
                const saved = yield* Effect.forkDetach(saveAll(storage, records), { startImmediately: true })
                yield* untilWaiting(storage, 100)
                expect(yield* saveAll(storage, events(3))).toEqual(["Overloaded", "Overloaded", "Overloaded"])
                expect((yield* Effect.flip(storage.saveIdentity(identity(session())))).reason).toBe("Overloaded")
                expect(yield* storage.status).toMatchObject({ ready: false, pendingRecords: 100 })
                return saved
              })
            )
            expect(new Set(yield* Fiber.join(saved))).toEqual(new Set(["stored"]))
            const after = event()
            yield* storage.saveEvent(after)
            expect(yield* storage.status).toMatchObject({ ready: true, pendingRecords: 0 })
            const all = [...records, after]
            expect(yield* read).toEqual(stored({ events: all, sessions: sessionsOf(all) }))
          }),
        100
      ))

    test("an interrupted save leaves no pending record", () =>
      check(({ hold, storage }) =>
        Effect.gen(function* () {
          yield* Effect.scoped(
            Effect.gen(function* () {
              yield* hold
              const save = yield* Effect.forkDetach(storage.saveEvent(event()), { startImmediately: true })
              yield* untilWaiting(storage, 1)
              yield* Fiber.interrupt(save)
            })
          )
          yield* storage.flush
          yield* storage.saveEvent(event())
          expect((yield* storage.status).pendingRecords).toBe(0)
        })
      ))
  })

  describe(`${name}: status`, () => {
    test("the status of a new storage is ready and empty", () =>
      check(({ storage }) =>
        Effect.gen(function* () {
          const status = yield* storage.status
          expect(status.backend).toMatch(/^[a-z]+$/)
          expect(status).toMatchObject({
            ready: true,
            pendingRecords: 0,
            pendingBytes: 0,
            inFlight: 0,
            lastSuccessAt: null,
            lastErrorAt: null,
            lastError: null
          })
        })
      ))

    test("the status has the pending records, the last success and the last error", () =>
      check(({ hold, storage }) =>
        Effect.gen(function* () {
          yield* Effect.scoped(
            Effect.gen(function* () {
              yield* hold
              yield* Effect.forkDetach(saveAll(storage, events(7)), { startImmediately: true })
              yield* untilWaiting(storage, 7)
              expect(yield* storage.status).toMatchObject({ ready: true, lastSuccessAt: null })
            })
          )
          yield* storage.flush
          const startedAt = Date.now()
          yield* storage.saveEvent(event())
          const good = yield* storage.status
          expect(good).toMatchObject({ pendingRecords: 0, pendingBytes: 0, lastErrorAt: null, lastError: null })
          expect(good.lastSuccessAt).toBeWithin(startedAt, Date.now() + 1)

          const failedAt = Date.now()
          yield* Effect.flip(storage.saveEvent(poison()))
          const bad = yield* storage.status
          // An invalid record says nothing about the storage.
          expect(bad).toMatchObject({ ready: true, lastSuccessAt: good.lastSuccessAt })
          expect(bad.lastErrorAt).toBeWithin(failedAt, Date.now() + 1)
          expect(bad.lastError).toMatch(/^The record can't be stored: a string is too long/)
        })
      ))

    test("the ping of a healthy storage succeeds", () => check(({ storage }) => storage.ping))
  })

  test(`${name}: any sequence of saves, repeated or at the same time, stores what the model predicts`, () =>
    check(({ read, storage }) =>
      Effect.promise(() =>
        fc.assert(
          fc.asyncProperty(groupsOfSaves, (groups) => Effect.runPromise(agreesWithModel(storage, read, groups, kept))),
          { numRuns: 40 }
        )
      )
    ))
}
