import { expect, setDefaultTimeout, test } from "bun:test"
import { cpSync, readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { Effect, type Scope } from "effect"
import type { SqlClient } from "effect/sql"
import { makeFlushSpool } from "../../../layers/forward/makeFlushSpool.ts"
import { ownSpool } from "../../../layers/forward/ownedSpool.ts"
import * as WriterRegistry from "../../../layers/forward/WriterRegistry.ts"
import { readRecords } from "../../../layers/spool/readRecords.ts"
import { openSpool, type Spool } from "../../../layers/spool/Spool.ts"
import { folderFiles } from "../../../layers/spool/SpoolFiles.ts"
import { newFolder, spoolOptions, withSpool } from "../../support/disk/spools.ts"
import { loggedLines } from "../../support/loggedLines.ts"
import { run } from "../../support/postgres/controlPlane.ts"
import { emptiedDatabase } from "../../support/postgres/pgStorage.ts"
import { openClient } from "../../support/postgres/postgres.ts"

setDefaultTimeout(180_000)

/** What a destination has stored, and how far it has each spool. */
class Stored {
  readonly records: Array<string> = []
  readonly #watermarks = new Map<string, number>()

  readonly open = makeFlushSpool(
    {
      name: "memory",
      prepare: Effect.void,
      reconcile: () => Effect.void,
      write: ({ spool: { folder, id, oldest }, upTo }) =>
        Effect.sync(() => {
          const from = Math.max(oldest, this.#watermarks.get(id) ?? 0)
          for (const { payload } of readRecords(folder, from, upTo, () => {})) {
            this.records.push(Buffer.from(payload).toString())
          }
          this.#watermarks.set(id, Math.max(from, upTo))
          return { position: Math.max(from, upTo), rows: 0 }
        })
    },
    folderFiles
  )
}

const check = (
  body: (sql: SqlClient.SqlClient, stored: Stored) => Effect.Effect<void, unknown, Scope.Scope>
): Promise<void> =>
  run(
    Effect.gen(function* () {
      const sql = yield* openClient(yield* emptiedDatabase)
      yield* sql.unsafe("DELETE FROM product_analytics_lake_writer")
      yield* body(sql, new Stored())
    })
  )

const own = (sql: SqlClient.SqlClient, stored: Stored, spool: Spool) =>
  ownSpool(sql, spool, folderFiles, (opened) => stored.open(opened))

/** Reports as a running collector does. */
const reporting = (sql: SqlClient.SqlClient, { folder, id }: Spool, owner: string) =>
  WriterRegistry.report(sql, {
    spoolId: id,
    host: "first-host",
    folder,
    backlogBytes: 0,
    lastSuccessAt: null,
    failure: null,
    owner
  }).pipe(Effect.andThen(Effect.sleep("300 millis")), Effect.forever, Effect.forkScoped)

/** A copy of a folder as an image or a volume contains it. */
const copyOf = (folder: string): string => {
  const copy = newFolder()
  cpSync(folder, copy, { recursive: true })
  rmSync(join(copy, "lock"), { force: true })
  return copy
}

test("two collectors that start from one image store each record once, and the second says that it has its own spool", () =>
  check((sql, stored) =>
    Effect.gen(function* () {
      const image = newFolder()
      yield* Effect.promise(() => withSpool(image, (spool) => spool.append("in the image")))
      const first = yield* openSpool(spoolOptions(copyOf(image)))
      const second = yield* openSpool(spoolOptions(copyOf(image)))
      const before = second.id
      expect(before).toBe(first.id)

      const ofFirst = yield* own(sql, stored, first)
      yield* reporting(sql, first, yield* ofFirst.owner)
      const ofSecond = yield* own(sql, stored, second)
      for (const [spool, record] of [
        [first, "of the first"],
        [second, "of the second"]
      ] as const) {
        yield* spool.append(record)
      }
      yield* ofFirst.flush(first.durable())
      const lines = yield* loggedLines(ofSecond.flush(second.durable()))
      expect(second.id).not.toBe(before)
      expect(readFileSync(join(second.folder, "spool-id"), "utf8")).toBe(`${second.id}\n`)
      expect(lines).toEqual([
        `The spool in ${second.folder} is a copy: a collector on first-host uses spool ${before}, too. From now on, this one is spool ${second.id}. 24 bytes that both have are left to the other one. Remove the spool from images and clones of a collector.`
      ])
      expect(stored.records.toSorted()).toEqual(["in the image", "of the first", "of the second"])
    })
  ))

test("a clone of a running collector's volume leaves what it contains to that collector", () =>
  check((sql, stored) =>
    Effect.gen(function* () {
      const first = yield* openSpool(spoolOptions(newFolder()))
      const ofFirst = yield* own(sql, stored, first)
      yield* reporting(sql, first, yield* ofFirst.owner)
      yield* first.append("before the clone")
      const clone = yield* openSpool(spoolOptions(copyOf(first.folder)))
      const ofClone = yield* own(sql, stored, clone)
      yield* clone.append("of the clone")
      yield* ofClone.flush(clone.durable())
      yield* ofFirst.flush(first.durable())
      expect(stored.records.toSorted()).toEqual(["before the clone", "of the clone"])
    })
  ))

test("a collector whose spool a clone took over keeps its own records, under an id of its own", () =>
  check((sql, stored) =>
    Effect.gen(function* () {
      const folder = newFolder()
      const clone = yield* Effect.scoped(
        Effect.gen(function* () {
          const spool = yield* openSpool(spoolOptions(folder))
          const owned = yield* own(sql, stored, spool)
          yield* owned.owner
          yield* spool.append("in both")
          const copy = copyOf(folder)
          yield* spool.append("of the first, not flushed")
          return copy
        })
      )
      yield* sql.unsafe("UPDATE product_analytics_lake_writer SET seen_at = now() - interval '21 seconds'")
      const cloned = yield* openSpool(spoolOptions(clone))
      const ofClone = yield* own(sql, stored, cloned)
      yield* reporting(sql, cloned, yield* ofClone.owner)
      yield* ofClone.flush(cloned.durable())
      expect(stored.records).toEqual(["in both"])

      const again = yield* openSpool(spoolOptions(folder))
      const ofAgain = yield* own(sql, stored, again)
      yield* ofAgain.flush(again.durable())
      expect(again.id).not.toBe(cloned.id)
      expect(stored.records).toEqual(["in both", "of the first, not flushed"])
    })
  ))

test("a collector that is killed and starts again owns its spool at once", () =>
  check((sql, stored) =>
    Effect.gen(function* () {
      const folder = newFolder()
      const open = Effect.scoped(
        Effect.gen(function* () {
          const spool = yield* openSpool(spoolOptions(folder))
          yield* (yield* own(sql, stored, spool)).owner
          return spool.id
        })
      )
      const id = yield* open
      const began = performance.now()
      expect(yield* open).toBe(id)
      expect(performance.now() - began).toBeLessThan(5_000)
    })
  ))

test("a collector whose spool another process took over learns of it, and its reports change nothing", () =>
  check((sql) =>
    Effect.gen(function* () {
      const [spoolId, owner, other] = [crypto.randomUUID(), crypto.randomUUID(), crypto.randomUUID()]
      const report = { spoolId, host: "a", folder: "/a", backlogBytes: 0, lastSuccessAt: null, failure: null }
      yield* WriterRegistry.report(sql, { ...report, owner })
      expect(yield* WriterRegistry.displacedBy(sql, spoolId, owner)).toBe(null)
      yield* sql.unsafe("UPDATE product_analytics_lake_writer SET owner = $1, host = 'b'", [other])
      expect(yield* WriterRegistry.displacedBy(sql, spoolId, owner)).toBe("b")
      yield* WriterRegistry.report(sql, { ...report, owner })
      yield* WriterRegistry.reportStopped(sql, spoolId, 0, owner)
      expect((yield* WriterRegistry.list(sql)).map(({ host }) => host)).toEqual(["b"])
    })
  ))
