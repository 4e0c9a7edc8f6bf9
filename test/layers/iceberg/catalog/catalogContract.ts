import { expect, test } from "bun:test"
import { Effect, type Scope } from "effect"
import type { Catalog, Table, TableName } from "../../../../layers/iceberg/catalog/Catalog.ts"
import type { IcebergError } from "../../../../layers/iceberg/IcebergError.ts"
import { parseJson, stringifyJson } from "../../../../layers/iceberg/json.ts"
import { append, freshName, isTable, NEW_TABLE, setProperties, snapshotIds, snapshotOn } from "./tables.ts"

export interface CatalogUnderTest {
  /** A catalog as another process would open it: each call is a new process. */
  readonly open: Effect.Effect<Catalog, IcebergError, Scope.Scope>
  /** Whether the metadata is a file that tests may edit, and unknown keys in it are kept. */
  readonly filesAreOurs: boolean
  /** Whether a commit to a stale table is refused even if its requirements still hold. */
  readonly refusesEveryStaleTable: boolean
  /** False for a server that lets several clients create one table at once, overwriting each other. */
  readonly createsAtomically?: boolean
  readonly timeoutMs?: number
}

/** For a busy machine and a server that makes the losers of a race wait in steps of a second. */
const TIMEOUT_MS = 60_000
const RACERS = [2, 8]
const APPENDS_EACH = 3
/** Maximum number of conflicts of one append, which bounds the test's loop. */
const MAX_CONFLICTS = 500

const reasonOf = <A>(effect: Effect.Effect<A, IcebergError>): Effect.Effect<string> =>
  Effect.match(effect, { onFailure: (error) => error.reason, onSuccess: () => "no failure" })

/** Appends as every writer does: on a conflict, it reloads the table and rebuilds the commit. */
const appendWithRetries = Effect.fnUntraced(function* (catalog: Catalog, name: TableName) {
  let conflicts = 0
  for (;;) {
    const table = yield* catalog.load(name)
    const snapshot = snapshotOn(table)
    const lost = yield* catalog.commit(table, append(table, snapshot)).pipe(
      Effect.as(false),
      Effect.catchIf(
        (error) => error.reason === "Conflict" && conflicts++ < MAX_CONFLICTS,
        () => Effect.succeed(true)
      )
    )
    if (!lost) return { id: snapshot["snapshot-id"], conflicts }
  }
})

/** The behavior that every catalog must have. */
export const catalogContract = (
  what: string,
  { open, filesAreOurs, refusesEveryStaleTable, createsAtomically = true, timeoutMs = TIMEOUT_MS }: CatalogUnderTest
): void => {
  const it = (sentence: string, body: (catalog: Catalog) => Effect.Effect<void, IcebergError, Scope.Scope>): void =>
    test(`${what}: ${sentence}`, () => Effect.runPromise(Effect.scoped(Effect.flatMap(open, body))), timeoutMs)

  it("another process loads a created table", (catalog) =>
    Effect.gen(function* () {
      const name = freshName()
      const created = yield* catalog.create(name, NEW_TABLE)
      expect(created.metadata["format-version"]).toBe(2)
      expect(created.metadata.properties).toMatchObject(NEW_TABLE.properties)
      expect(created.metadata.location).toContain("events")
      const loaded = yield* (yield* open).load(name)
      expect(loaded.metadata["table-uuid"]).toBe(created.metadata["table-uuid"])
      expect(loaded.metadataLocation).toBe(created.metadataLocation)
      const [schema] = loaded.metadata.schemas
      expect(schema?.fields.map((field) => field.name)).toEqual(["event_id", "event_time", "site_id", "properties"])
      expect(snapshotIds(loaded)).toEqual([])
    }))

  it("loading a missing table fails with NotFound", (catalog) =>
    Effect.gen(function* () {
      expect(yield* reasonOf(catalog.load(freshName()))).toBe("NotFound")
      const name = freshName()
      yield* catalog.create(name, NEW_TABLE)
      expect(yield* reasonOf(catalog.load({ ...name, name: "sessions" }))).toBe("NotFound")
    }))

  it("creating a second table of the same name is refused, and the first stays", (catalog) =>
    Effect.gen(function* () {
      const name = freshName()
      const first = yield* catalog.create(name, NEW_TABLE)
      expect(yield* reasonOf((yield* open).create(name, NEW_TABLE))).toBe("AlreadyExists")
      expect((yield* catalog.load(name)).metadata["table-uuid"]).toBe(first.metadata["table-uuid"])
      yield* catalog.create({ ...name, name: "sessions" }, NEW_TABLE)
    }))

  it("only one of eight processes creates a table, and the others fail with AlreadyExists", () =>
    Effect.gen(function* () {
      if (!createsAtomically) return
      const name = freshName()
      const outcomes = yield* Effect.forEach(
        Array.from({ length: 8 }),
        () => Effect.flatMap(open, (catalog) => reasonOf(catalog.create(name, NEW_TABLE))),
        { concurrency: "unbounded" }
      )
      expect(outcomes.toSorted()).toEqual([...Array.from({ length: 7 }, () => "AlreadyExists"), "no failure"])
    }))

  it("names that could mean another table's location are refused", (catalog) =>
    Effect.gen(function* () {
      for (const name of ["", "..", "a/b", "a.b"]) {
        expect(yield* reasonOf(catalog.load({ namespace: ["n"], name }))).toBe("Invalid")
        expect(yield* reasonOf(catalog.create({ namespace: [name], name: "t" }, NEW_TABLE))).toBe("Invalid")
      }
    }))

  it("another process sees an append, with exact ids above 2^53", (catalog) =>
    Effect.gen(function* () {
      const name = freshName()
      const table = yield* catalog.create(name, NEW_TABLE)
      const first = snapshotOn(table, 9_007_199_254_740_993n)
      const second = yield* catalog.commit(table, append(table, first))
      const third = yield* catalog.commit(second, append(second, snapshotOn(second, 9_223_372_036_854_775_807n)))
      const loaded = yield* (yield* open).load(name)
      expect(loaded.metadataLocation).toBe(third.metadataLocation)
      expect(loaded.metadata["current-snapshot-id"]).toBe(9_223_372_036_854_775_807n)
      expect(snapshotIds(loaded)).toEqual([9_007_199_254_740_993n, 9_223_372_036_854_775_807n])
      expect(loaded.metadata.snapshots?.[1]?.["parent-snapshot-id"]).toBe(9_007_199_254_740_993n)
      expect(loaded.metadata.snapshots?.[0]).toMatchObject({
        "manifest-list": first["manifest-list"],
        summary: first.summary
      })
      expect(loaded.metadata.refs?.["main"]?.["snapshot-id"]).toBe(9_223_372_036_854_775_807n)
      expect(loaded.metadata["last-sequence-number"]).toBe(2)
      expect(loaded.metadata["metadata-log"]?.map((entry) => entry["metadata-file"])).toEqual([
        table.metadataLocation,
        second.metadataLocation
      ])
    }))

  it("a commit sets and removes properties", (catalog) =>
    Effect.gen(function* () {
      const name = freshName()
      const table = yield* catalog.create(name, NEW_TABLE)
      const set = yield* catalog.commit(table, setProperties(table, { "a.b": "1", c: "Ü 🌍" }))
      yield* catalog.commit(set, {
        requirements: [isTable(set)],
        updates: [{ action: "remove-properties", removals: ["a.b"] }]
      })
      const { properties } = (yield* (yield* open).load(name)).metadata
      expect(properties).toMatchObject({ ...NEW_TABLE.properties, c: "Ü 🌍" })
      expect("a.b" in properties).toBe(false)
    }))

  it("a commit adds a column", (catalog) =>
    Effect.gen(function* () {
      const name = freshName()
      const table = yield* catalog.create(name, NEW_TABLE)
      const { metadata } = table
      const current = metadata.schemas.find((schema) => schema["schema-id"] === metadata["current-schema-id"])!
      const id = metadata["last-column-id"] + 1
      yield* catalog.commit(table, {
        requirements: [
          isTable(table),
          { type: "assert-last-assigned-field-id", "last-assigned-field-id": metadata["last-column-id"] },
          { type: "assert-current-schema-id", "current-schema-id": metadata["current-schema-id"] }
        ],
        updates: [
          {
            action: "add-schema",
            schema: {
              ...current,
              "schema-id": current["schema-id"] + 1,
              fields: [...current.fields, { id, name: "country", required: false, type: "string" }]
            },
            "last-column-id": id
          },
          { action: "set-current-schema", "schema-id": -1 }
        ]
      })
      const after = (yield* (yield* open).load(name)).metadata
      expect(after.schemas).toHaveLength(2)
      expect(after["last-column-id"]).toBe(id)
      const schema = after.schemas.find((candidate) => candidate["schema-id"] === after["current-schema-id"])
      expect(schema?.fields.at(-1)).toMatchObject({ id, name: "country", required: false, type: "string" })
    }))

  it("a commit removes old snapshots", (catalog) =>
    Effect.gen(function* () {
      const name = freshName()
      let table = yield* catalog.create(name, NEW_TABLE)
      for (let count = 0; count < 3; count++) table = yield* catalog.commit(table, append(table))
      const [first, second, third] = snapshotIds(table)
      yield* catalog.commit(table, {
        requirements: [isTable(table), { type: "assert-ref-snapshot-id", ref: "main", "snapshot-id": third! }],
        updates: [{ action: "remove-snapshots", "snapshot-ids": [first!, second!] }]
      })
      const loaded = yield* (yield* open).load(name)
      expect(snapshotIds(loaded)).toEqual([third!])
      expect(loaded.metadata["current-snapshot-id"]).toBe(third!)
    }))

  it("a commit to a table that another process has appended to is a conflict and changes nothing", (catalog) =>
    Effect.gen(function* () {
      const name = freshName()
      const stale = yield* catalog.create(name, NEW_TABLE)
      const committed = yield* (yield* open).commit(stale, append(stale))
      expect(yield* reasonOf(catalog.commit(stale, append(stale)))).toBe("Conflict")
      if (refusesEveryStaleTable) {
        expect(yield* reasonOf(catalog.commit(stale, setProperties(stale, { lost: "update" })))).toBe("Conflict")
      }
      const loaded = yield* catalog.load(name)
      expect(snapshotIds(loaded)).toEqual(snapshotIds(committed))
      expect(loaded.metadata.properties["lost"]).toBeUndefined()
      const other: Table = { ...loaded, metadata: { ...loaded.metadata, "table-uuid": crypto.randomUUID() } }
      expect(yield* reasonOf(catalog.commit(loaded, append(other)))).toBe("Conflict")
    }))

  for (const racers of RACERS) {
    it(`${racers} processes that append at the same time lose nothing and repeat nothing`, (catalog) =>
      Effect.gen(function* () {
        const name = freshName()
        yield* catalog.create(name, NEW_TABLE)
        const appended = yield* Effect.forEach(
          Array.from({ length: racers }),
          () =>
            Effect.flatMap(open, (own) =>
              Effect.forEach(Array.from({ length: APPENDS_EACH }), () => appendWithRetries(own, name))
            ),
          { concurrency: "unbounded" }
        )
        const ids = appended.flat().map(({ id }) => id)
        const loaded = yield* (yield* open).load(name)
        expect(snapshotIds(loaded).toSorted()).toEqual(ids.toSorted())
        expect(loaded.metadata["last-sequence-number"]).toBe(racers * APPENDS_EACH)
        const parents = loaded.metadata.snapshots?.map((snapshot) => snapshot["parent-snapshot-id"])
        expect(parents).toEqual([undefined, ...snapshotIds(loaded).slice(0, -1)])
      }))
  }

  if (!filesAreOurs) return

  it("unknown keys in metadata are carried over", (catalog) =>
    Effect.gen(function* () {
      const name = freshName()
      const table = yield* catalog.create(name, NEW_TABLE)
      const bytes = yield* table.store.read(table.metadataLocation)
      const parsed = parseJson(new TextDecoder().decode(bytes)) as Record<string, unknown>
      const foreign = {
        ...parsed,
        "row-lineage": { id: 9_007_199_254_740_993n },
        statistics: [{ "snapshot-id": 7n, extra: true }]
      }
      yield* table.store.write(table.metadataLocation, new TextEncoder().encode(stringifyJson(foreign)))
      const own = yield* open
      const loaded = yield* own.load(name)
      const committed = yield* own.commit(loaded, append(loaded))
      const json = new TextDecoder().decode(yield* committed.store.read(committed.metadataLocation))
      expect(json).toContain('"row-lineage":{"id":9007199254740993}')
      expect(json).toContain('"statistics":[{"snapshot-id":7,"extra":true}]')
    }))

  it("metadata that another engine compressed is read", (catalog) =>
    Effect.gen(function* () {
      const name = freshName()
      const table = yield* catalog.create(name, NEW_TABLE)
      const bytes = yield* table.store.read(table.metadataLocation)
      yield* table.store.write(table.metadataLocation, Bun.gzipSync(new Uint8Array(bytes)))
      const loaded = yield* (yield* open).load(name)
      expect(loaded.metadata["table-uuid"]).toBe(table.metadata["table-uuid"])
    }))

  it("a table of another format version is refused with that version in the message", (catalog) =>
    Effect.gen(function* () {
      for (const version of [1, 3]) {
        const name = freshName()
        const table = yield* catalog.create(name, NEW_TABLE)
        const json = new TextDecoder().decode(yield* table.store.read(table.metadataLocation))
        const other = json.replace('"format-version":2', `"format-version":${version}`)
        yield* table.store.write(table.metadataLocation, new TextEncoder().encode(other))
        const own = yield* open
        const error = yield* Effect.match(own.load(name), {
          onFailure: (failure) => failure,
          onSuccess: () => undefined
        })
        expect(error?.reason).toBe("Invalid")
        expect(error?.message).toContain(`format version ${version}`)
      }
    }))

  it("metadata files that drop out of the log are removed only if the table's property allows it", (catalog) =>
    Effect.gen(function* () {
      const fateOf = (table: Table, location: string) => reasonOf(table.store.head(location))
      const properties = { "write.metadata.previous-versions-max": "2" }
      const name = freshName()
      const first = yield* catalog.create(name, { ...NEW_TABLE, properties })
      let table = first
      for (let count = 0; count < 24; count++) table = yield* catalog.commit(table, append(table))
      expect(table.metadata["metadata-log"]).toHaveLength(2)
      expect(yield* fateOf(table, first.metadataLocation)).toBe("no failure")
      table = yield* catalog.commit(
        table,
        setProperties(table, { "write.metadata.delete-after-commit.enabled": "true" })
      )
      const third = table.metadata["metadata-log"]?.[0]?.["metadata-file"] ?? ""
      for (let count = 0; count < 24; count++) table = yield* catalog.commit(table, append(table))
      expect(yield* fateOf(table, third)).toBe("NotFound")
      expect(yield* fateOf(table, first.metadataLocation)).toBe("no failure")
      expect(snapshotIds(yield* (yield* open).load(name))).toHaveLength(48)
    }))
}
