import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { Effect, Fiber, Redacted, type Scope } from "effect"
import { type CatalogConfig, makeCatalog } from "../../../../layers/iceberg/catalog/makeCatalog.ts"
import { currentSchema } from "../../../../layers/iceberg/metadata/TableMetadata.ts"
import { jdbcClient } from "../../../../layers/lake/jdbcClient.ts"
import { CREDENTIALS, REGION, TABLE_BUCKET } from "../../../../scripts/services/credentials.ts"
import { dropDatabase, ensureDatabase } from "../../../../scripts/services/database.ts"
import { endpoint, port } from "../../../../scripts/services/place.ts"
import { freshName, isTable, NEW_TABLE, setProperties, snapshotIds } from "../../../layers/iceberg/catalog/tables.ts"
import { IS_NIGHTLY } from "../../../support/nightly.ts"
import { openClient } from "../../../support/postgres/postgres.ts"
import { areUp } from "../../areUp.ts"
import { type EngineCatalog, glueCatalog, lakeCatalog, restCatalog } from "../../engines/EngineCatalog.ts"
import { icebergJava } from "../../engines/icebergJava.ts"
import { pyiceberg } from "../../engines/pyiceberg.ts"
import { freshWarehouse, lakeS3, MOTO_KEYS } from "./lake.ts"

/** Iceberg's library is downloaded on first use. */
const TIMEOUT_MS = 600_000
/** Between our load and our commit: several times as long as the library's own, so that it gets a chance. */
const PAUSE = "400 millis"

const database = `catalogs_${process.pid}`
const warehouse = freshWarehouse()
const s3 = lakeS3()
const { accessKeyId, secretAccessKey } = CREDENTIALS.s3

/** Each catalog, as this library and as other engines open it. */
const catalogs: ReadonlyArray<readonly [string, Effect.Effect<CatalogConfig, never, Scope.Scope>, EngineCatalog]> = [
  [
    "jdbc",
    Effect.map(
      openClient(
        Redacted.make(
          `postgres://${CREDENTIALS.postgres.user}:${CREDENTIALS.postgres.password}@127.0.0.1:${port("postgres")}/${database}`
        ),
        2
      ),
      (sql) => ({ type: "jdbc", name: "prod", warehouse, s3, client: jdbcClient(sql) })
    ),
    lakeCatalog({ name: "prod", database, warehouse })
  ],
  ["hadoop", Effect.succeed({ type: "hadoop", warehouse, s3 }), { type: "hadoop", warehouse }],
  [
    "rest",
    Effect.succeed({
      type: "rest",
      uri: endpoint.icebergRest(),
      warehouse: TABLE_BUCKET,
      credential: Redacted.make(`${accessKeyId}:${secretAccessKey}`),
      oauth2ServerUri: endpoint.icebergRestTokens(),
      s3
    }),
    restCatalog()
  ],
  [
    "glue",
    Effect.succeed({
      type: "glue",
      warehouse,
      region: REGION,
      endpoint: endpoint.moto(),
      credentials: MOTO_KEYS,
      s3
    }),
    glueCatalog(warehouse)
  ]
]

describe.skipIf(!(await areUp("postgres", "seaweedfs", "moto")))("interoperability with Iceberg's Java library", () => {
  beforeAll(() => ensureDatabase(database), TIMEOUT_MS)
  afterAll(() => dropDatabase(database))

  for (const [type, config, engineCatalog] of catalogs) {
    test.skipIf(!IS_NIGHTLY && type !== "jdbc" && type !== "rest")(
      `${type}: Iceberg's Java library appends to our table before and after our changes and finds no problem`,
      () =>
        Effect.gen(function* () {
          const catalog = yield* makeCatalog(yield* config)
          const name = freshName()
          const table = `${name.namespace[0]}.${name.name}`
          const created = yield* catalog.create(name, NEW_TABLE)
          yield* Effect.promise(() => icebergJava.append({ catalog: engineCatalog, table, rows: 100 }))
          const appended = yield* catalog.load(name)
          expect(appended.metadata["table-uuid"]).toBe(created.metadata["table-uuid"])
          expect(snapshotIds(appended)).toHaveLength(1)

          const { metadata } = appended
          const schema = currentSchema(metadata)
          const id = metadata["last-column-id"] + 1
          const widened = yield* catalog.commit(appended, {
            requirements: [isTable(appended)],
            updates: [
              {
                action: "add-schema",
                schema: {
                  ...schema,
                  fields: [...schema.fields, { id, name: "country", required: false, type: "string" }]
                },
                "last-column-id": id
              },
              { action: "set-current-schema", "schema-id": -1 }
            ]
          })
          yield* catalog.commit(widened, setProperties(widened, { "commit.manifest-merge.enabled": "false" }))
          yield* Effect.promise(() => icebergJava.append({ catalog: engineCatalog, table, rows: 50, start: 100 }))
          const checked = yield* Effect.promise(() =>
            icebergJava.check({ catalog: engineCatalog, table, id: "event_id" })
          )
          expect(checked.problems).toEqual([])
          expect([checked.rows, checked.distinctIds]).toEqual([150, 150])
          expect(Object.keys(checked.columns)).toContain("country")
          const last = yield* catalog.load(name)
          expect(snapshotIds(last)).toHaveLength(2)
          expect(last.metadata.properties).toMatchObject({ "commit.manifest-merge.enabled": "false" })
          if (type === "jdbc" || type === "rest") {
            const python = yield* Effect.promise(() =>
              pyiceberg.check({ catalog: engineCatalog, table, id: "event_id" })
            )
            expect(python.rows).toBe(150)
          }
        }).pipe(Effect.scoped, Effect.runPromise),
      TIMEOUT_MS
    )
  }

  for (const [type, config, engineCatalog] of catalogs.filter(([type]) => type === "jdbc" || type === "rest")) {
    test.skipIf(!IS_NIGHTLY && type !== "jdbc")(
      `${type}: three processes of Iceberg's Java library append while we keep changing properties, and nothing is lost`,
      () =>
        Effect.gen(function* () {
          const catalog = yield* makeCatalog(yield* config)
          const name = freshName()
          const table = `${name.namespace[0]}.${name.name}`
          // As many of Iceberg's own retries as the race requires.
          const properties = { ...NEW_TABLE.properties, "commit.retry.num-retries": "100" }
          yield* catalog.create(name, { ...NEW_TABLE, properties })
          const appending = yield* Effect.forkChild(
            Effect.promise(() =>
              Promise.all(
                [0, 1, 2].map((each) =>
                  icebergJava.append({ catalog: engineCatalog, table, rows: 10, start: each * 10 })
                )
              )
            )
          )
          let changes = 0
          let conflicts = 0
          while (appending.pollUnsafe() === undefined) {
            const loaded = yield* catalog.load(name)
            yield* Effect.sleep(PAUSE)
            yield* catalog.commit(loaded, setProperties(loaded, { changes: String(changes + 1) })).pipe(
              Effect.matchEffect({
                onSuccess: () => Effect.sync(() => void changes++),
                onFailure: (error) =>
                  error.reason === "Conflict" ? Effect.sync(() => void conflicts++) : Effect.fail(error)
              })
            )
          }
          yield* Fiber.join(appending)
          const checked = yield* Effect.promise(() =>
            icebergJava.check({ catalog: engineCatalog, table, id: "event_id" })
          )
          expect(checked.problems).toEqual([])
          expect([checked.rows, checked.distinctIds]).toEqual([30, 30])
          const last = yield* catalog.load(name)
          expect(snapshotIds(last)).toHaveLength(3)
          expect(last.metadata.properties["changes"]).toBe(String(changes))
          expect(changes).toBeGreaterThan(0)
          // A REST server decides by requirements, and an append breaks none of a property change.
          expect(conflicts > 0).toBe(type === "jdbc")
        }).pipe(Effect.scoped, Effect.runPromise),
      TIMEOUT_MS
    )
  }
})
