import { expect, setDefaultTimeout, test } from "bun:test"
import { Context, Effect } from "effect"
import { CollectionId, PRODUCT_ANALYTICS } from "../../../../src/domain/people.ts"
import { Collections, type CollectionsError } from "../../../../src/ports/Collections.ts"
import { Content } from "../../../../src/ports/Content.ts"
import { ADA, cardBody, failureOf, startContent } from "../../../support/postgres/content.ts"
import { run } from "../../../support/postgres/controlPlane.ts"
import { freshDatabase } from "../../../support/postgres/postgres.ts"

// The first test waits for the server to start.
setDefaultTimeout(180_000)

const ROOT = PRODUCT_ANALYTICS.id

const onCollections = (
  body: (collections: Collections["Service"], content: Content["Service"]) => Effect.Effect<void, unknown, never>
) =>
  run(
    Effect.gen(function* () {
      const context = yield* startContent(yield* Effect.promise(freshDatabase))
      yield* body(Context.get(context, Collections), Context.get(context, Content))
    })
  )

const create = (collections: Collections["Service"], name: string, parent = ROOT) =>
  collections.create({ name, description: null, parent })
const card = (collection: CollectionId, parts: object = {}) =>
  ({ kind: "card", name: "Card", description: null, collection, body: cardBody(parts) }) as const
const outcome = (effect: Effect.Effect<unknown, CollectionsError>) =>
  Effect.map(failureOf(effect), ({ message, reason }) => [reason, message])

test("collections form a tree below Product Analytics, which always exists and can't be changed", () =>
  onCollections((collections) =>
    Effect.gen(function* () {
      const team = yield* create(collections, "Team")
      const week = yield* create(collections, "Weekly", team.id)
      expect(week.path).toEqual([ROOT, team.id, week.id])
      expect(week.entityId).toMatch(/^[\w-]{21}$/)
      expect((yield* collections.list).map(({ name, parent }) => [name, parent])).toEqual([
        ["Product Analytics", null],
        ["Team", ROOT],
        ["Weekly", team.id]
      ])
      for (const change of [{ name: "Mine" }, { archived: true }, { parent: team.id }]) {
        expect(yield* outcome(collections.update(ROOT, change))).toEqual([
          "Fixed",
          "Product Analytics can't be changed."
        ])
      }
    })
  ))

test("a collection moves with everything below it, but not into itself, the trash, nowhere, or too deep", () =>
  onCollections((collections) =>
    Effect.gen(function* () {
      const [a, b] = [yield* create(collections, "A"), yield* create(collections, "B")]
      const below = yield* create(collections, "Below", a.id)
      expect((yield* collections.update(a.id, { parent: b.id })).path).toEqual([ROOT, b.id, a.id])
      expect((yield* collections.get(below.id)).path).toEqual([ROOT, b.id, a.id, below.id])
      const inItself = ["Invalid", "A collection can't be moved into itself or a collection below it."]
      expect(yield* outcome(collections.update(b.id, { parent: below.id }))).toEqual(inItself)
      expect(yield* outcome(collections.update(b.id, { parent: b.id }))).toEqual(inItself)
      expect(yield* outcome(collections.update(a.id, { parent: CollectionId.make(999) }))).toEqual([
        "Invalid",
        "There is no collection with the id 999."
      ])
      let deepest = below
      while (deepest.path.length < 10) deepest = yield* create(collections, "Deeper", deepest.id)
      const tooDeep = ["Invalid", "Collections may be nested 10 levels deep."]
      expect(yield* outcome(create(collections, "x", deepest.id))).toEqual(tooDeep)
      const pair = yield* create(collections, "Pair")
      yield* create(collections, "Inner", pair.id)
      expect(yield* outcome(collections.update(pair.id, { parent: deepest.parent! }))).toEqual(tooDeep)
    })
  ))

test("two moves at the same time never make a loop", () =>
  onCollections((collections) =>
    Effect.gen(function* () {
      for (let round = 0; round < 5; round++) {
        const [a, b] = [yield* create(collections, "A"), yield* create(collections, "B")]
        const outcomes = yield* Effect.forEach(
          [collections.update(a.id, { parent: b.id }), collections.update(b.id, { parent: a.id })],
          Effect.result,
          { concurrency: "unbounded" }
        )
        expect(outcomes.map(({ _tag }) => _tag).sort()).toEqual(["Failure", "Success"])
      }
    })
  ))

test("a collection goes to the trash with everything below it, and exactly that comes back", () =>
  onCollections((collections, content) =>
    Effect.gen(function* () {
      const team = yield* create(collections, "Team")
      const below = yield* create(collections, "Below", team.id)
      const early = yield* create(collections, "Early", team.id)
      const kept = yield* content.create([card(below.id)], ADA)
      const gone = yield* content.create([card(below.id)], ADA)
      yield* content.update("card", gone.id, { archived: true, author: ADA })
      yield* collections.update(early.id, { archived: true })
      expect((yield* collections.update(team.id, { archived: true })).isArchived).toBe(true)
      const states = Effect.gen(function* () {
        const folders = yield* Effect.forEach([team, below, early], ({ id }) => collections.get(id))
        const items = yield* Effect.forEach([kept, gone], ({ id }) => content.get("card", id))
        return [...folders, ...items].map(({ isArchived }) => isArchived)
      })
      expect(yield* states).toEqual([true, true, true, true, true])
      expect(yield* outcome(create(collections, "x", below.id))).toEqual([
        "Invalid",
        'The collection "Below" is in the trash.'
      ])
      expect((yield* failureOf(content.create([card(below.id)], ADA))).message).toBe(
        "The collection is in the trash. Restore it first, or choose another one."
      )
      expect((yield* failureOf(content.update("card", kept.id, { archived: false, author: ADA }))).reason).toBe(
        "Invalid"
      )
      yield* collections.update(team.id, { archived: false })
      expect(yield* states).toEqual([false, false, true, false, true])
    })
  ))

test("a collection whose items are needed elsewhere can't go to the trash", () =>
  onCollections((collections, content) =>
    Effect.gen(function* () {
      const team = yield* create(collections, "Team")
      const used = yield* content.create([card(team.id)], ADA)
      const inside = yield* content.create([card(team.id, { source: { card: used.id } })], ADA)
      const outside = yield* content.create([card(ROOT, { source: { card: used.id } })], ADA)
      const failure = yield* failureOf(collections.update(team.id, { archived: true }))
      expect([failure.reason, failure.usedBy?.map(({ id }) => id)]).toEqual(["InUse", [outside.id]])
      yield* content.update("card", outside.id, { collection: team.id, author: ADA })
      yield* collections.update(team.id, { archived: true })
      expect((yield* content.get("card", inside.id)).isArchived).toBe(true)
    })
  ))

test("a change that is based on an older revision is a conflict", () =>
  onCollections((collections) =>
    Effect.gen(function* () {
      const { id } = yield* create(collections, "Team")
      expect((yield* collections.update(id, { name: "Team A", description: "Ours", revision: 1 })).revision).toBe(2)
      expect(yield* outcome(collections.update(id, { name: "Team B", revision: 1 }))).toEqual([
        "Conflict",
        "The collection was changed in the meantime: its revision is 2, not 1. Read it again."
      ])
      expect(yield* outcome(create(collections, "\0"))).toEqual([
        "Invalid",
        "Strings must not contain NUL or half of a surrogate pair."
      ])
    })
  ))
