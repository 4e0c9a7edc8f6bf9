import { expect, test } from "bun:test"
import * as advisoryLocks from "../../../../layers/postgres/client/advisoryLocks.ts"
import { MIGRATIONS } from "../../../../layers/postgres/client/migrate.ts"

test("the advisory locks have the released numbers, each its own", () => {
  expect({ ...advisoryLocks }).toEqual({
    MIGRATION_LOCK: 4_067_180_227,
    PARTITION_LOCK: 4_067_180_228,
    PARTITION_JOB_LOCK: 4_067_180_229,
    LAKE_JOB_LOCK: 4_067_180_230,
    PEOPLE_JOB_LOCK: 4_067_180_232,
    CONTENT_LOCK: 4_067_180_240,
    PROPERTY_LOCK: 4_067_180_250,
    FIELD_SCAN_LOCK: 4_067_180_251,
    SITE_DATA_LOCK: 4_067_180_260
  })
  const numbers = Object.values(advisoryLocks)
  expect(new Set(numbers).size).toBe(numbers.length)
})

test("migrations take no advisory lock but PARTITION_LOCK", () => {
  const numbers = MIGRATIONS.flatMap(({ sql }) =>
    [...sql.matchAll(/advisory\w*\((\d+)\)/g)].map(([, number]) => number)
  )
  expect(numbers).toEqual([String(advisoryLocks.PARTITION_LOCK)])
})
