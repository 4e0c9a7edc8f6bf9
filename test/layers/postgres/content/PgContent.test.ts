import { describe, expect, setDefaultTimeout, test } from "bun:test"
import { Context, Effect } from "effect"
import { type Item, ItemId } from "../../../../src/domain/content/Item.ts"
import { PRODUCT_ANALYTICS } from "../../../../src/domain/people.ts"
import { Collections } from "../../../../src/ports/Collections.ts"
import { Content, type ContentError, type NewItem } from "../../../../src/ports/Content.ts"
import { ADA, BOB, cardBody, failureOf, startContent } from "../../../support/postgres/content.ts"
import { run } from "../../../support/postgres/controlPlane.ts"
import { freshDatabase, openClient } from "../../../support/postgres/postgres.ts"

// The first test waits for the server to start.
setDefaultTimeout(180_000)

const UNKNOWN = ItemId.make("5a1ed000-0000-4000-8000-000000000099")

const card = (name: string, parts: object = {}): NewItem<"card"> => ({
  kind: "card",
  name,
  description: null,
  collection: PRODUCT_ANALYTICS.id,
  body: cardBody(parts)
})
const segment = (name: string, filter: readonly [string, ...Array<unknown>]): NewItem<"segment"> => ({
  kind: "segment",
  name,
  description: null,
  collection: PRODUCT_ANALYTICS.id,
  body: { filter }
})
const dashboardOf = (name: string, cards: ReadonlyArray<Item>): NewItem<"dashboard"> => ({
  kind: "dashboard",
  name,
  description: null,
  collection: PRODUCT_ANALYTICS.id,
  body: {
    parameters: [],
    tabs: [],
    dashcards: cards.map(({ id }, index) => ({
      id: crypto.randomUUID(),
      card_id: id,
      dashboard_tab_id: null,
      row: index,
      col: 0,
      size_x: 12,
      size_y: 1,
      parameter_mappings: [],
      visualization_settings: {}
    })),
    auto_apply_filters: true,
    width: "fixed"
  }
})

/** Runs a test on a database of its own. */
const onContent = (
  body: (content: Content["Service"], collections: Collections["Service"]) => Effect.Effect<void, unknown, never>
) =>
  run(
    Effect.gen(function* () {
      const context = yield* startContent(yield* Effect.promise(freshDatabase))
      yield* body(Context.get(context, Content), Context.get(context, Collections))
    })
  )

const reasonOf = (error: ContentError) => [error.reason, error.message]

test("a saved question is read as it was sent, with the order of its keys, and starts with revision 1", () =>
  onContent((content) =>
    Effect.gen(function* () {
      const sent = { zebra: 1, filter: ["=", "country", "DE"], "": "ü😀", apple: [1.5, null, true] }
      const saved = yield* content.create([card(" Visits ", sent)], ADA)
      expect(saved).toMatchObject({ kind: "card", name: " Visits ", revision: 1, isArchived: false, isShipped: false })
      expect(saved.path).toEqual([PRODUCT_ANALYTICS.id])
      const read = yield* content.get("card", saved.id)
      expect(JSON.stringify(read.body.dataset_query)).toBe(JSON.stringify({ ...cardBody().dataset_query, ...sent }))
      expect(read).toEqual(saved)
      expect(reasonOf(yield* failureOf(content.get("dashboard", saved.id)))).toEqual([
        "NotFound",
        `There is no dashboard with the id "${saved.id}".`
      ])
    })
  ))

test("each change is a revision with an author and what changed, and a change that changes nothing is not", () =>
  onContent((content, collections) =>
    Effect.gen(function* () {
      const below = yield* collections.create({ name: "Below", description: null, parent: PRODUCT_ANALYTICS.id })
      const { id } = yield* content.create([card("Visits")], ADA)
      yield* content.update("card", id, { name: "Views", description: "All of them", author: BOB })
      yield* content.update("card", id, { body: cardBody({ limit: 5 }), author: BOB })
      yield* content.update("card", id, { name: "Views", body: cardBody({ limit: 5 }), author: ADA })
      yield* content.update("card", id, { collection: below.id, author: ADA })
      yield* content.update("card", id, { archived: true, author: ADA })
      const last = yield* content.update("card", id, { archived: false, author: ADA })
      expect([last.revision, last.path]).toEqual([6, [PRODUCT_ANALYTICS.id, below.id]])
      const revisions = yield* content.revisions("card", id)
      expect(
        revisions.map(({ author, change, isCurrent, number }) => [number, isCurrent, author.name, change])
      ).toEqual([
        [6, true, "Ada", "Restored it from the trash."],
        [5, false, "Ada", "Moved it to the trash."],
        [4, false, "Ada", "Moved it to another collection."],
        [3, false, "Bob", "Changed the question."],
        [2, false, "Bob", 'Renamed it from "Visits". Changed the description.'],
        [1, false, "Ada", "Created it."]
      ])
    })
  ))

test("going back to an earlier revision is a new revision, and leaves the item where it is", () =>
  onContent((content) =>
    Effect.gen(function* () {
      const { id } = yield* content.create([card("Visits", { limit: 1 })], ADA)
      yield* content.update("card", id, { name: "Views", body: cardBody({ limit: 2 }), author: BOB })
      const reverted = yield* content.revert("card", id, { to: 1, author: BOB })
      expect([reverted.revision, reverted.name, reverted.body.dataset_query["limit"]]).toEqual([3, "Visits", 1])
      const [newest] = yield* content.revisions("card", id)
      expect(newest).toMatchObject({ number: 3, isCurrent: true, change: "Went back to revision 1.", author: BOB })
      expect(reasonOf(yield* failureOf(content.revert("card", id, { to: 9, author: BOB })))).toEqual([
        "NotFound",
        "The question has no revision 9; the newest 50 are kept."
      ])
    })
  ))

test("the newest 50 revisions are kept, the current one among them", () =>
  onContent((content) =>
    Effect.gen(function* () {
      const { id } = yield* content.create([card("0")], ADA)
      for (let change = 1; change <= 60; change++) yield* content.update("card", id, { name: `${change}`, author: ADA })
      const numbers = (yield* content.revisions("card", id)).map(({ number }) => number)
      expect([numbers.length, numbers[0], numbers.at(-1)]).toEqual([50, 61, 12])
    })
  ))

test("a change that is based on an older revision is a conflict, and of many at once one wins", () =>
  onContent((content) =>
    Effect.gen(function* () {
      const { id } = yield* content.create([card("Visits")], ADA)
      const outcomes = yield* Effect.forEach(
        Array.from({ length: 8 }, (_, index) => `Name ${index}`),
        (name) => Effect.result(content.update("card", id, { name, revision: 1, author: ADA })),
        { concurrency: "unbounded" }
      )
      expect(outcomes.filter(({ _tag }) => _tag === "Success").length).toBe(1)
      const { name, revision } = yield* content.get("card", id)
      expect(revision).toBe(2)
      expect(reasonOf(yield* failureOf(content.update("card", id, { name: "x", revision: 1, author: ADA })))).toEqual([
        "Conflict",
        `${JSON.stringify(name)} was changed in the meantime: its revision is 2, not 1. Read it again.`
      ])
    })
  ))

describe("an item that another one needs", () => {
  test("can't go to the trash, and the failure has its users", () =>
    onContent((content) =>
      Effect.gen(function* () {
        const used = yield* content.create([card("Base")], ADA)
        const onIt = yield* content.create([card("On it", { source: { card: used.id } })], ADA)
        const board = yield* content.create([dashboardOf("Board", [used])], ADA)
        const failure = yield* failureOf(content.update("card", used.id, { archived: true, author: ADA }))
        expect([failure.reason, failure.usedBy?.map(({ name }) => name)]).toEqual(["InUse", ["Board", "On it"]])
        yield* content.update("dashboard", board.id, { body: dashboardOf("", []).body, author: ADA })
        yield* content.update("card", onIt.id, { archived: true, author: ADA })
        expect((yield* content.update("card", used.id, { archived: true, author: ADA })).isArchived).toBe(true)
        // Its user is in the trash, and could not be restored without it.
        expect((yield* failureOf(content.remove("card", used.id))).usedBy?.map(({ name }) => name)).toEqual(["On it"])
        expect(reasonOf(yield* failureOf(content.update("card", onIt.id, { archived: false, author: ADA })))).toEqual([
          "Invalid",
          'The question "Base" is in the trash. Restore it first.'
        ])
      })
    ))

  test("must exist, have the right kind, and not be built on it", () =>
    onContent((content) =>
      Effect.gen(function* () {
        const filter = yield* content.create([segment("Views", ["=", "event_type", 1])], ADA)
        const saves = (item: NewItem) => Effect.map(failureOf(content.create([item], ADA)), reasonOf)
        expect(yield* saves(card("x", { source: { card: UNKNOWN } }))).toEqual([
          "Invalid",
          `There is no question with the id "${UNKNOWN}".`
        ])
        expect(yield* saves(card("x", { source: { card: filter.id } }))).toEqual([
          "Invalid",
          `There is no question with the id "${filter.id}".`
        ])
        const other = yield* content.create([segment("Other", ["segment", filter.id])], ADA)
        const circle = content.update("segment", filter.id, { body: { filter: ["segment", other.id] }, author: ADA })
        expect(reasonOf(yield* failureOf(circle))).toEqual([
          "Invalid",
          "It would be built on itself, directly or through what it refers to."
        ])
        const itself = content.update("segment", other.id, { body: { filter: ["segment", other.id] }, author: ADA })
        expect((yield* failureOf(itself)).reason).toBe("Invalid")
        // Nothing of what failed was saved.
        expect((yield* content.get("segment", filter.id)).body.filter).toEqual(["=", "event_type", 1])
      })
    ))

  test("stays acyclic when two processes try to close a circle at the same time", () =>
    onContent((content) =>
      Effect.gen(function* () {
        for (let round = 0; round < 5; round++) {
          const a = yield* content.create([card("A")], ADA)
          const b = yield* content.create([card("B")], ADA)
          const outcomes = yield* Effect.forEach(
            [
              content.update("card", a.id, { body: cardBody({ source: { card: b.id } }), author: ADA }),
              content.update("card", b.id, { body: cardBody({ source: { card: a.id } }), author: ADA })
            ],
            Effect.result,
            { concurrency: "unbounded" }
          )
          expect(outcomes.map(({ _tag }) => _tag).sort()).toEqual(["Failure", "Success"])
        }
      })
    ))
})

test("an item is deleted for good only from the trash, with its revisions", () =>
  onContent((content) =>
    Effect.gen(function* () {
      const { id } = yield* content.create([card("Visits")], ADA)
      expect(reasonOf(yield* failureOf(content.remove("card", id)))).toEqual([
        "Invalid",
        "Only what is in the trash can be deleted for good."
      ])
      yield* content.update("card", id, { archived: true, author: ADA })
      yield* content.remove("card", id)
      expect((yield* failureOf(content.get("card", id))).reason).toBe("NotFound")
      expect((yield* failureOf(content.revisions("card", id))).reason).toBe("NotFound")
    })
  ))

test("items are found by kind, collection, trash and any part of their names, and a part is never a pattern", () =>
  onContent((content) =>
    Effect.gen(function* () {
      for (const name of ["100% views", "views", "Über_uns", "under scores"]) yield* content.create([card(name)], ADA)
      yield* content.create([segment("views too", ["=", "event_type", 1])], ADA)
      const gone = yield* content.create([card("gone views")], ADA)
      yield* content.update("card", gone.id, { archived: true, author: ADA })
      const find = (text: string | null, more: object = {}) =>
        Effect.map(
          content.find({
            kinds: ["card", "segment"],
            text,
            collections: null,
            archived: false,
            limit: 10,
            offset: 0,
            ...more
          }),
          ({ items, total }) => [total, ...items.map(({ name }) => name)]
        )
      expect(yield* find("VIEWS")).toEqual([3, "views", "100% views", "views too"])
      expect(yield* find("0%")).toEqual([1, "100% views"])
      expect(yield* find("r_")).toEqual([1, "Über_uns"])
      expect(yield* find("\\")).toEqual([0])
      expect(yield* find("views", { archived: true })).toEqual([1, "gone views"])
      expect(yield* find("views", { kinds: ["segment"] })).toEqual([1, "views too"])
      expect(yield* find(null, { collections: [] })).toEqual([0])
      expect(yield* find(null, { limit: 2, offset: 2 })).toEqual([5, "views", "views too"])
      expect(yield* find(null, { limit: 2, offset: 9 })).toEqual([5])
    })
  ))

test("several items are saved together or not at all", () =>
  onContent((content) =>
    Effect.gen(function* () {
      const first = { ...card("First"), id: ItemId.make(crypto.randomUUID()) }
      const broken = card("Second", { source: { card: UNKNOWN } })
      expect((yield* failureOf(content.create([first, broken], ADA))).reason).toBe("Invalid")
      expect((yield* failureOf(content.get("card", first.id))).reason).toBe("NotFound")
      const second = yield* content.create([first, card("Second", { source: { card: first.id } })], ADA)
      expect([second.name, (yield* content.get("card", first.id)).name]).toEqual(["Second", "First"])
    })
  ))

test("what Postgres cannot store is refused with a reason, not with an outage", () =>
  onContent((content) =>
    Effect.gen(function* () {
      const hostile = [
        card("x", { filter: ["=", "country", "\0"] }),
        card("x", { filter: ["=", "country", "\ud800"] }),
        card("x", { "\0": 1 }),
        card("\0")
      ]
      for (const item of hostile) expect((yield* failureOf(content.create([item], ADA))).reason).toBe("Invalid")
      const quoted = yield* content.create([card("'; DROP TABLE product_analytics_content; --")], ADA)
      expect(quoted.name).toBe("'; DROP TABLE product_analytics_content; --")
    })
  ))

describe("what ships with Footfall", () => {
  const ID = ItemId.make("f007fa11-0000-4000-8000-000000000001")
  const ON_IT = ItemId.make("f007fa11-0000-4000-8000-000000000002")
  const shipped = (checksum: string, name: string) => ({ ...card(name), id: ID, checksum })
  const onIt = { ...card("On it", { source: { card: ID } }), id: ON_IT, checksum: "1" }

  test("is created once, by processes that start at the same time, too", () =>
    run(
      Effect.gen(function* () {
        const url = yield* Effect.promise(freshDatabase)
        const processes = yield* Effect.forEach([1, 2, 3], () => startContent(url))
        const changed = yield* Effect.forEach(
          processes,
          (context) => Context.get(context, Content).ship([shipped("1", "Views"), onIt]),
          { concurrency: "unbounded" }
        )
        expect(changed.reduce((sum, count) => sum + count)).toBe(2)
        const content = Context.get(processes[0]!, Content)
        expect(yield* content.get("card", ID)).toMatchObject({
          name: "Views",
          isShipped: true,
          revision: 1,
          author: { kind: "footfall", name: "Footfall" }
        })
      })
    ))

  test("is updated when its checksum changes, can't be changed by people, and leaves their copies as they are", () =>
    onContent((content) =>
      Effect.gen(function* () {
        yield* content.ship([shipped("1", "Views")])
        const { body, description } = yield* content.get("card", ID)
        const copy = yield* content.create([{ ...card("My views"), body, description }], ADA)
        expect(yield* content.ship([shipped("1", "Views")])).toBe(0)
        expect(yield* content.ship([shipped("2", "Page views")])).toBe(1)
        expect(yield* content.get("card", ID)).toMatchObject({ name: "Page views", revision: 2 })
        expect(yield* content.get("card", copy.id)).toEqual(copy)
        const attempts = [
          content.update("card", ID, { name: "Mine", author: ADA }),
          content.update("card", ID, { archived: true, author: ADA }),
          content.revert("card", ID, { to: 1, author: ADA }),
          content.remove("card", ID)
        ]
        for (const attempt of attempts) expect((yield* failureOf(Effect.asVoid(attempt))).reason).toBe("Shipped")
      })
    ))

  test("goes to the trash when it no longer ships, unless somebody needs it, and comes back", () =>
    onContent((content) =>
      Effect.gen(function* () {
        yield* content.ship([shipped("1", "Views"), onIt])
        const mine = yield* content.create([card("Mine", { source: { card: ID } })], ADA)
        expect(yield* content.ship([])).toBe(1)
        expect((yield* content.get("card", ON_IT)).isArchived).toBe(true)
        expect((yield* content.get("card", ID)).isArchived).toBe(false)
        yield* content.update("card", mine.id, { archived: true, author: ADA })
        expect(yield* content.ship([])).toBe(1)
        expect(yield* content.ship([shipped("1", "Views")])).toBe(1)
        expect((yield* content.get("card", ID)).isArchived).toBe(false)
      })
    ))
})

test("without the database, every call fails within seconds and says that it can't be reached", () =>
  run(
    Effect.gen(function* () {
      const url = yield* Effect.promise(freshDatabase)
      const content = Context.get(yield* startContent(url), Content)
      const saved = yield* content.create([card("Visits")], ADA)
      const sql = yield* openClient(url, 1)
      yield* sql.unsafe("ALTER TABLE product_analytics_content RENAME TO hidden")
      const calls = [
        content.get("card", saved.id),
        content.create([card("x")], ADA),
        content.update("card", saved.id, { name: "x", author: ADA }),
        content.find({ kinds: ["card"], text: null, collections: null, archived: false, limit: 1, offset: 0 })
      ]
      for (const call of calls) {
        expect(reasonOf(yield* failureOf(call as Effect.Effect<unknown, ContentError>))).toEqual([
          "Unavailable",
          "The app database can't be reached."
        ])
      }
    })
  ))
