import { describe, expect, test } from "bun:test"
import { readFileSync, writeFileSync } from "node:fs"
import { pathToFileURL } from "node:url"
import { Effect } from "effect"
import { makeCatalog } from "../../../../layers/iceberg/catalog/makeCatalog.ts"
import { localPathOf } from "../../../../layers/iceberg/io/location.ts"
import { appendEvents, EVENTS_NAME } from "../../../support/lake/lakeTables.ts"
import { temporaryFolder } from "../../../support/postgres/postgres.ts"
import { areUp } from "../../areUp.ts"
import type { EngineCatalog } from "../../engines/EngineCatalog.ts"
import { icebergJava } from "../../engines/icebergJava.ts"

/** The library may have to be fetched first. */
const TEST_MS = 600_000

describe.skipIf(!(await areUp("postgres")))("a table that was upgraded to format version 3", () => {
  test(
    "Iceberg's Java library appends to it after our commits and before them, and finds no problem",
    () =>
      Effect.runPromise(
        Effect.scoped(
          Effect.gen(function* () {
            const warehouse = pathToFileURL(temporaryFolder()).href
            const catalog = yield* makeCatalog({ type: "hadoop", warehouse })
            const append = (count: number) => appendEvents(catalog, { log: "log-a", day: 20_000, count })
            const { metadataLocation } = yield* Effect.andThen(append(3), append(3))
            const path = localPathOf(metadataLocation)!
            const metadata = readFileSync(path, "utf8")
            writeFileSync(path, metadata.replace('"format-version":2', '"format-version":3,"next-row-id":0'))
            yield* append(4)

            const shared: EngineCatalog = { type: "hadoop", warehouse }
            const java = { catalog: shared, table: "product_analytics.pa_events", deadlineMs: TEST_MS / 2 }
            yield* Effect.promise(() => icebergJava.append({ ...java, rows: 7 }))
            const table = yield* append(5)
            expect(table.metadata.snapshots?.slice(2).map((snapshot) => snapshot["first-row-id"])).toEqual([0, 10, 17])
            expect(table.metadata["next-row-id"]).toBe(22)
            const { problems, rows } = yield* Effect.promise(() =>
              icebergJava.check({ ...java, id: "event_id", site: "site_id", time: "event_time" })
            )
            expect({ problems, rows }).toEqual({ problems: [], rows: 22 })
            expect((yield* catalog.load(EVENTS_NAME)).metadata["format-version"]).toBe(3)
          })
        )
      ),
    TEST_MS
  )
})
