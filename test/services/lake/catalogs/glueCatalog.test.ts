import { afterAll, describe, expect, test } from "bun:test"
import {
  CreateDatabaseCommand,
  CreateTableCommand,
  GetTableCommand,
  GlueClient,
  UpdateTableCommand
} from "@aws-sdk/client-glue"
import { Effect } from "effect"
import { makeCatalog } from "../../../../layers/iceberg/catalog/makeCatalog.ts"
import { CREDENTIALS, REGION } from "../../../../scripts/services/credentials.ts"
import { endpoint } from "../../../../scripts/services/place.ts"
import { catalogContract } from "../../../layers/iceberg/catalog/catalogContract.ts"
import { append, freshName, NEW_TABLE } from "../../../layers/iceberg/catalog/tables.ts"
import { areUp } from "../../areUp.ts"
import { freshWarehouse, lakeS3, MOTO_KEYS } from "./lake.ts"
import { StrictGlue } from "./StrictGlue.ts"

const warehouse = freshWarehouse()
const glueAt = (url: string) =>
  makeCatalog({ type: "glue", warehouse, region: REGION, endpoint: url, credentials: MOTO_KEYS, s3: lakeS3() })

describe.skipIf(!(await areUp("seaweedfs", "moto")))("moto", () => {
  const strict = new StrictGlue(endpoint.moto())
  afterAll(() => strict[Symbol.asyncDispose]())
  catalogContract("glue", { open: glueAt(strict.url), filesAreOurs: true, refusesEveryStaleTable: true })

  const client = new GlueClient({ endpoint: endpoint.moto(), region: REGION, credentials: CREDENTIALS.moto })
  const tableIn = async (database: string) =>
    (await client.send(new GetTableCommand({ DatabaseName: database, Name: "events" }))).Table!

  test("a table in Glue is described as by Iceberg's own catalog", async () => {
    const name = freshName()
    const database = name.namespace[0]!
    const [first, second] = await Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const catalog = yield* glueAt(endpoint.moto())
          const created = yield* catalog.create(name, NEW_TABLE)
          return [created, yield* catalog.commit(created, append(created))] as const
        })
      )
    )
    expect(first.metadata.location).toBe(`${warehouse}/${database}.db/events-${first.metadata["table-uuid"]}`)
    const table = await tableIn(database)
    expect(table.TableType).toBe("EXTERNAL_TABLE")
    expect(table.Parameters).toEqual({
      table_type: "ICEBERG",
      metadata_location: second.metadataLocation,
      previous_metadata_location: first.metadataLocation
    })
    expect(table.StorageDescriptor?.Location).toBe(first.metadata.location)
    expect(
      table.StorageDescriptor?.Columns?.map(({ Comment, Name, Parameters, Type }) => [Name, Type, Comment, Parameters])
    ).toEqual([
      [
        "event_id",
        "string",
        undefined,
        { "iceberg.field.id": "1", "iceberg.field.optional": "false", "iceberg.field.current": "true" }
      ],
      [
        "event_time",
        "timestamp",
        "When it happened",
        { "iceberg.field.id": "2", "iceberg.field.optional": "false", "iceberg.field.current": "true" }
      ],
      [
        "site_id",
        "string",
        undefined,
        { "iceberg.field.id": "3", "iceberg.field.optional": "false", "iceberg.field.current": "true" }
      ],
      [
        "properties",
        "map<string,string>",
        undefined,
        { "iceberg.field.id": "4", "iceberg.field.optional": "true", "iceberg.field.current": "true" }
      ]
    ])
  })

  test("a commit keeps values that others set in Glue's table", async () => {
    const name = freshName()
    const database = name.namespace[0]!
    await Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const catalog = yield* glueAt(endpoint.moto())
          yield* catalog.create(name, NEW_TABLE)
          yield* Effect.promise(async () => {
            const { Parameters, StorageDescriptor } = await tableIn(database)
            await client.send(
              new UpdateTableCommand({
                DatabaseName: database,
                TableInput: {
                  Name: "events",
                  Description: "All events",
                  Owner: "analytics",
                  TableType: "EXTERNAL_TABLE",
                  Parameters: { ...Parameters, classification: "pii" },
                  StorageDescriptor: {
                    ...StorageDescriptor,
                    AdditionalLocations: ["s3://elsewhere/"],
                    Columns: StorageDescriptor?.Columns?.map((column) =>
                      column.Name === "site_id" ? { ...column, Comment: "Written in the console" } : column
                    )
                  }
                }
              })
            )
          })
          const loaded = yield* catalog.load(name)
          yield* catalog.commit(loaded, append(loaded))
        })
      )
    )
    const table = await tableIn(database)
    expect(table).toMatchObject({ Description: "All events", Owner: "analytics" })
    expect(table.Parameters).toMatchObject({ classification: "pii", table_type: "ICEBERG" })
    expect(table.StorageDescriptor?.AdditionalLocations).toEqual(["s3://elsewhere/"])
    expect(table.StorageDescriptor?.Columns?.map((column) => column.Comment)).toEqual([
      undefined,
      "When it happened",
      "Written in the console",
      undefined
    ])
  })

  test("a table is created in its database's own location", async () => {
    const name = freshName()
    const own = `${freshWarehouse()}/own/`
    await client.send(new CreateDatabaseCommand({ DatabaseInput: { Name: name.namespace[0], LocationUri: own } }))
    const created = await Effect.runPromise(
      Effect.scoped(Effect.flatMap(glueAt(endpoint.moto()), (catalog) => catalog.create(name, NEW_TABLE)))
    )
    expect(created.metadata.location).toBe(`${own}events-${created.metadata["table-uuid"]}`)
  })

  test("a table that is not an Iceberg table is refused and kept", async () => {
    const name = freshName()
    const [database] = name.namespace
    await client.send(new CreateDatabaseCommand({ DatabaseInput: { Name: database } }))
    await client.send(
      new CreateTableCommand({
        DatabaseName: database,
        TableInput: { Name: "events", Parameters: { classification: "csv" } }
      })
    )
    const reasons = await Effect.runPromise(
      Effect.scoped(
        Effect.flatMap(glueAt(endpoint.moto()), (catalog) =>
          Effect.all([Effect.flip(catalog.load(name)), Effect.flip(catalog.create(name, NEW_TABLE))])
        )
      )
    )
    expect(reasons.map(({ reason }) => reason)).toEqual(["Invalid", "Invalid"])
    expect((await tableIn(database!)).Parameters).toEqual({ classification: "csv" })
  })

  test.each([
    ["Web", "events"],
    ["web", "Events"],
    ["web-eu", "events"],
    ["web", "e".repeat(256)]
  ])("%p.%p is refused as a name in Glue", async (database, table) => {
    const error = await Effect.runPromise(
      Effect.scoped(
        Effect.flatMap(glueAt(endpoint.moto()), (catalog) =>
          Effect.flip(catalog.load({ namespace: [database], name: table }))
        )
      )
    )
    expect(error.reason).toBe("Invalid")
    expect(error.message).toContain("lowercase letters, digits and underscores")
  })

  test("Glue's version id decided the races of the contract", () => {
    expect(strict.refused).toBeGreaterThan(0)
  })
})
