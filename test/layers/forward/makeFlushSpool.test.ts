import { expect, test } from "bun:test"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { Effect } from "effect"
import { type Destination, DestinationError, type Run } from "../../../layers/forward/Destination.ts"
import { makeFlushSpool } from "../../../layers/forward/makeFlushSpool.ts"
import { folderFiles } from "../../../layers/spool/SpoolFiles.ts"
import type { Damage } from "../../../layers/spool/scan.ts"
import { loggedLines } from "../../support/loggedLines.ts"
import { run } from "../../support/postgres/controlPlane.ts"
import { temporaryFolder } from "../../support/postgres/postgres.ts"

const unreachable = new DestinationError({ reason: "Unavailable", message: "The bucket is unreachable." })

const makeSpool = () => ({ folder: temporaryFolder(), id: "a", oldest: 7, accepted: () => 70 })

const destinationWith = (operations: Partial<Destination>): Destination => ({
  name: "lake",
  prepare: Effect.void,
  reconcile: () => Effect.void,
  write: ({ upTo }) => Effect.succeed({ position: upTo, rows: 1 }),
  ...operations
})

/** Each write meets the damage of its turn and fails. */
const failingWith = (writes: ReadonlyArray<ReadonlyArray<Damage>>): Destination => {
  const left = [...writes]
  return destinationWith({
    write: (_, onDamage) =>
      Effect.suspend(() => {
        for (const damage of left.shift() ?? []) onDamage(damage)
        return Effect.fail(unreachable)
      })
  })
}

test("damage is logged even if the flush fails, and not again by later flushes", () =>
  run(
    Effect.gen(function* () {
      const first = { from: 10, to: 20 }
      // The spool has grown where it cannot be read.
      const grown = { from: 10, to: 30 }
      const second = { from: 50, to: 60 }
      const open = makeFlushSpool(failingWith([[first], [grown, second], [grown, second]]), folderFiles)
      const spool = makeSpool()
      const flush = yield* open(spool)

      expect(yield* loggedLines(flush(100))).toEqual([
        `The spool in ${spool.folder} is damaged from 10 to 20: the records there are lost. Check the disk. The other records are flushed.`
      ])
      expect(yield* loggedLines(flush(100))).toEqual([expect.stringContaining("damaged from 50 to 60")])
      // The spool of another collector is opened for each attempt to adopt it.
      expect(yield* loggedLines((yield* open(spool))(100))).toEqual([])
    })
  ))

test("a spool is compared with its destination before the first write, until that succeeds", () =>
  run(
    Effect.gen(function* () {
      const calls: Array<string> = []
      const runs: Array<Run> = []
      let isReachable = false
      const destination = destinationWith({
        reconcile: ({ openings }) =>
          Effect.suspend(() => {
            calls.push(`reconcile at ${openings.map(({ position }) => position)}`)
            return isReachable ? Effect.void : Effect.fail(unreachable)
          }),
        write: (written) =>
          Effect.sync(() => {
            calls.push(`write up to ${written.upTo}`)
            runs.push(written)
            return { position: written.upTo, rows: 1 }
          })
      })
      const spool = makeSpool()
      const flush = yield* makeFlushSpool(destination, folderFiles)(spool)
      expect(existsSync(join(spool.folder, "openings"))).toBe(true)
      expect(yield* Effect.flip(flush(100))).toBe(unreachable)
      isReachable = true
      expect(yield* flush(100)).toEqual({ position: 100, rows: 1 })
      expect(existsSync(join(spool.folder, "openings"))).toBe(false)
      yield* flush(120)

      expect(calls).toEqual(["reconcile at 70", "reconcile at 70", "write up to 100", "write up to 120"])
      expect(runs[0]).toEqual({ spool: { folder: spool.folder, id: "a", oldest: 7 }, upTo: 100 })
    })
  ))

test("the destination's receipt is kept in the spool's folder and shown to it when the spool is opened again", () =>
  run(
    Effect.gen(function* () {
      const shown: Array<string | null> = []
      const destination = destinationWith({
        reconcile: ({ receipt }) => Effect.sync(() => shown.push(receipt)),
        write: ({ upTo }) => Effect.succeed({ position: upTo, rows: 1, receipt: `up to ${upTo}` })
      })
      const spool = makeSpool()
      for (const upTo of [100, 120]) yield* (yield* makeFlushSpool(destination, folderFiles)(spool))(upTo)
      expect(shown).toEqual([null, "up to 100"])
      expect(readFileSync(join(spool.folder, "receipt"), "utf8")).toBe("up to 120")
    })
  ))

test("a rollback is logged once, with both positions", () =>
  run(
    Effect.gen(function* () {
      const destination = destinationWith({
        reconcile: (_, onRolledBack) => Effect.sync(() => onRolledBack({ end: 70, watermark: 90 }))
      })
      const spool = makeSpool()
      const open = makeFlushSpool(destination, folderFiles)
      expect(yield* loggedLines((yield* open(spool))(100))).toEqual([
        `The spool in ${spool.folder} ends at 70 but the lake is at 90: it was restored from an older copy or lost files. Unflushed events after that copy are lost; new events are flushed normally.`
      ])
      expect(yield* loggedLines((yield* open(spool))(100))).toEqual([])
    })
  ))
