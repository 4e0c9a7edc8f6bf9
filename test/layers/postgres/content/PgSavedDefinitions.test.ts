import { beforeAll, expect, setDefaultTimeout, test } from "bun:test"
import { Context, Effect, Layer } from "effect"
import { AppDatabase, DatabaseUrl } from "../../../../layers/postgres/client/Database.ts"
import * as PgSavedDefinitions from "../../../../layers/postgres/content/PgSavedDefinitions.ts"
import { Principal } from "../../../../src/domain/Principal.ts"
import { CollectionId, type CollectionLevel, PRODUCT_ANALYTICS } from "../../../../src/domain/people.ts"
import { SavedDefinitions } from "../../../../src/ports/SavedDefinitions.ts"
import { run } from "../../../support/postgres/controlPlane.ts"
import { freshDatabase, openClient } from "../../../support/postgres/postgres.ts"

// The first test waits for the server to start.
setDefaultTimeout(180_000)

const id = (number: number) => `5a1ed000-0000-4000-8000-${String(number).padStart(12, "0")}`
const [BASE, ON_BASE, SEGMENT, COHORT, ARCHIVED, SECRET, LOOP_A, LOOP_B] = [1, 2, 3, 4, 5, 6, 7, 8].map(id) as [
  string,
  string,
  string,
  string,
  string,
  string,
  string,
  string
]
const question = (parts: object) => ({ fql: 1, type: "query", source: "v_pa_events", ...parts })

const user = (levels: ReadonlyArray<readonly [number, CollectionLevel]>) =>
  new Principal({
    kind: "user",
    id: "7",
    name: "Ada",
    siteLimit: null,
    levels: [new Map(levels.map(([collection, level]) => [CollectionId.make(collection), level]))]
  })
const READER = user([[PRODUCT_ANALYTICS.id, "read"]])

let url: Awaited<ReturnType<typeof freshDatabase>>
let below: number

beforeAll(async () => {
  url = await freshDatabase()
  await run(
    Effect.gen(function* () {
      const sql = yield* openClient(url, 1)
      const [row] = yield* sql.unsafe<{ id: number }>(
        "INSERT INTO product_analytics_collection (entity_id, name, parent_id) VALUES ('below', 'Below', 1) RETURNING id"
      )
      below = row!.id
      const [other] = yield* sql.unsafe<{ id: number }>(
        "INSERT INTO product_analytics_collection (entity_id, name) VALUES ('other', 'Other') RETURNING id"
      )
      const save = (item: string, kind: string, body: object, collection: number, archived = false) =>
        sql.unsafe(
          `INSERT INTO product_analytics_content (id, kind, name, collection_id, body, author_kind, author_name, archived_at)
            VALUES ($1::uuid, $2, $2, $3::int, $4::json, 'user', 'Ada', CASE WHEN $5::bool THEN now() END)`,
          [item, kind, collection, JSON.stringify(body), archived]
        )
      yield* save(BASE, "card", { dataset_query: question({ filter: ["segment", SEGMENT] }) }, 1)
      yield* save(ON_BASE, "card", { dataset_query: question({ source: { card: BASE.toUpperCase() } }) }, below)
      yield* save(SEGMENT, "segment", { filter: ["and", ["=", "event_type", 1], ["cohort", COHORT]] }, 1)
      yield* save(COHORT, "cohort", { filter: ["=", "event_name", "purchase"] }, 1)
      yield* save(ARCHIVED, "segment", { filter: ["=", "event_type", 2] }, 1, true)
      yield* save(SECRET, "segment", { filter: ["=", "event_type", 5] }, other!.id)
      yield* save(LOOP_A, "card", { dataset_query: question({ source: { card: LOOP_B } }) }, 1)
      yield* save(LOOP_B, "card", { dataset_query: question({ source: { card: LOOP_A } }) }, 1)
    })
  )
})

const load = (principal: Principal, json: unknown) =>
  run(
    Effect.flatMap(
      Layer.build(
        PgSavedDefinitions.layer.pipe(
          Layer.provide(AppDatabase.layer),
          Layer.provide(Layer.succeed(DatabaseUrl, { url, embedded: true }))
        )
      ),
      (context) => Context.get(context, SavedDefinitions).load(principal, json)
    )
  )

test("everything that a question is built on is found, at any depth and in any spelling of the ids", async () => {
  const found = await load(READER, question({ source: { card: ON_BASE } }))
  expect([...found.cards.keys()].sort()).toEqual([BASE, ON_BASE])
  expect(found.segments).toEqual(new Map([[SEGMENT, ["and", ["=", "event_type", 1], ["cohort", COHORT]]]]))
  expect(found.cohorts).toEqual(new Map([[COHORT, ["=", "event_name", "purchase"]]]))
})

test("what is in the trash, unknown, or in a collection that the caller may not read is left out, and readable trash is named", async () => {
  const filter = ["or", ["segment", ARCHIVED], ["segment", SECRET], ["segment", id(99)], ["segment", SEGMENT]]
  expect([...(await load(READER, question({ filter }))).segments.keys()]).toEqual([SEGMENT])
  expect([...(await load(user([]), question({ filter }))).segments.keys()]).toEqual([])
  expect([...(await load(READER, question({ filter }))).trashed]).toEqual([ARCHIVED])
  expect([...(await load(user([]), question({ filter }))).trashed]).toEqual([])
})

test("a grant on a collection holds for those below it, and not for the one above", async () => {
  const json = question({ source: { card: ON_BASE } })
  expect([...(await load(user([[below, "read"]]), json)).cards.keys()]).toEqual([ON_BASE])
})

test("questions that are built on each other end the search", async () => {
  expect([...(await load(READER, question({ source: { card: LOOP_A } }))).cards.keys()].sort()).toEqual([
    LOOP_A,
    LOOP_B
  ])
})

test("a question that refers to nothing needs no statement", async () => {
  const layer = PgSavedDefinitions.layer.pipe(Layer.provide(Layer.succeed(AppDatabase, {} as never)))
  const found = await run(
    Effect.flatMap(Layer.build(layer), (context) =>
      Context.get(context, SavedDefinitions).load(READER, question({ filter: ["=", "country", "DE"] }))
    )
  )
  expect([found.cards.size, found.segments.size, found.cohorts.size]).toEqual([0, 0, 0])
})

test("a question that refers to more than 200 saved things is refused", async () => {
  const filter = ["or", ...Array.from({ length: 201 }, (_, index) => ["segment", id(1_000 + index)])]
  await expect(load(READER, question({ filter }))).rejects.toMatchObject({
    _tag: "SavedDefinitionsError",
    reason: "TooMany",
    message: "The question is built on more than 200 saved questions, segments and cohorts."
  })
})

test("a question on what is nested more than 12 levels deep is refused, instead of missing the innermost", async () => {
  await run(
    Effect.flatMap(openClient(url, 1), (sql) =>
      Effect.forEach(
        Array.from({ length: 13 }, (_, level) => level),
        (level) =>
          sql.unsafe(
            `INSERT INTO product_analytics_content (id, kind, name, collection_id, body, author_kind, author_name)
              VALUES ($1::uuid, 'segment', $1, 1, $2::json, 'user', 'Ada')`,
            [
              id(500 + level),
              JSON.stringify({ filter: level === 0 ? ["=", "country", "DE"] : ["segment", id(499 + level)] })
            ]
          )
      )
    )
  )
  expect((await load(READER, question({ filter: ["segment", id(511)] }))).segments.size).toBe(12)
  await expect(load(READER, question({ filter: ["segment", id(512)] }))).rejects.toMatchObject({
    reason: "TooMany",
    message: "The question is built on saved questions, segments and cohorts that are nested more than 12 levels deep."
  })
})
