import { expect, test } from "bun:test"
import { inTurns } from "../../../layers/replica/child/inTurns.ts"
import { Store } from "../../../layers/replica/child/Store.ts"
import { until } from "../../support/eventually.ts"
import { temporaryFolder } from "../../support/postgres/postgres.ts"

const openStore = async () => {
  const folder = temporaryFolder()
  const store = await Store.open({ folder, memoryLimit: "200MB", tempLimit: "100MB", threads: 2 })
  await store.run("CREATE TABLE stored (part INTEGER)")
  return store
}

const storedParts = async (store: Store) =>
  (await store.rows("SELECT part FROM stored ORDER BY rowid")).map(([part]) => Number(part))

/** Takes minutes, unless it is interrupted. */
const ENDLESS =
  "CREATE OR REPLACE TEMP TABLE endless AS SELECT sum(a.range * b.range) FROM range(1000000) AS a, range(1000000) AS b"

test("parts are stored in their order, each by the writer that prepared it, while the next one is prepared", async () => {
  const store = await openStore()
  const events: Array<string> = []
  const prepared = Array.from({ length: 6 }, () => Promise.withResolvers<void>())
  await inTurns<number>(store, {
    prepare: async (writer, index) => {
      if (index < 5) {
        await writer.run(`CREATE OR REPLACE TEMP TABLE part AS SELECT ${index} AS part`)
        events.push(`prepared ${index}`)
      }
      prepared[index]!.resolve()
      return index < 5 ? index : null
    },
    store: async (writer, part) => {
      // The next one is prepared before this one is stored, or this never ends.
      await prepared[part + 1]!.promise
      await writer.run("INSERT INTO stored FROM part")
      events.push(`stored ${part}`)
    }
  })
  expect(await storedParts(store)).toEqual([0, 1, 2, 3, 4])
  expect(events).toEqual([
    "prepared 0",
    "prepared 1",
    "stored 0",
    "prepared 2",
    "stored 1",
    "prepared 3",
    "stored 2",
    "prepared 4",
    "stored 3",
    "stored 4"
  ])
  store.close()
})

test("a failure while a part is stored ends what is prepared, and leaves the file usable", async () => {
  const store = await openStore()
  let isPreparing = false
  let isAbandoned = false
  const work = inTurns<number>(store, {
    prepare: async (writer, index) => {
      if (index < 2) return index
      isPreparing = true
      await writer.run(ENDLESS)
      return index
    },
    store: async (writer, part) => {
      await writer.run(`INSERT INTO stored VALUES (${part})`)
      if (part === 0) return
      await until("the next part is prepared", () => isPreparing)
      throw new Error("the disk is full")
    },
    abandon: async () => {
      isAbandoned = true
    }
  })
  expect(await work.then(String, String)).toContain("the disk is full")
  expect(isAbandoned).toBe(true)
  expect(await storedParts(store)).toEqual([0, 1])
  store.close()
})

test("a failure while a part is prepared is reported after the parts before it are stored", async () => {
  const store = await openStore()
  const work = inTurns<number>(store, {
    prepare: async (_, index) => {
      if (index === 2) throw new Error("Postgres is gone")
      return index
    },
    store: async (writer, part) => {
      await writer.run(`INSERT INTO stored VALUES (${part})`)
    }
  })
  expect(await work.then(String, String)).toContain("Postgres is gone")
  expect(await storedParts(store)).toEqual([0, 1])
  store.close()
})
