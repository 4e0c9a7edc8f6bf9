import { afterAll, expect, test } from "bun:test"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Fiber } from "effect"
import type { LakeConfig } from "../../../../layers/lake/config.ts"
import { encodeEvent } from "../../../../layers/lake/records.ts"
import { makeLakeThread } from "../../../../layers/lake/worker/LakeThread.ts"
import type { CallEvent } from "../../../../layers/lake/worker/protocol.ts"
import { openSpool } from "../../../../layers/spool/Spool.ts"
import { segmentName } from "../../../../layers/spool/segmentNames.ts"
import { event } from "../../../support/collect/records.ts"
import { run } from "../../../support/postgres/controlPlane.ts"

const ENTRY = new URL("../../../support/lake/lakeThreadEntry.ts", import.meta.url)
const folder = mkdtempSync(join(tmpdir(), "footfall-thread-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const CONFIG: LakeConfig = {
  catalogType: "hadoop",
  catalogName: "footfall",
  namespace: ["product_analytics"],
  warehouse: `file://${join(folder, "lake")}`,
  catalogUri: null,
  catalogCredentials: null,
  oauth2ServerUri: null,
  oauth2Scope: "catalog",
  signingName: "execute-api",
  s3Endpoint: null,
  region: null,
  keys: null,
  databaseUrl: "postgres://nobody@127.0.0.1:1/none"
}

const openSpoolIn = (name: string) =>
  openSpool({ folder: join(folder, name), maxPending: 100, maxBytes: 2 ** 30, timeoutMs: 10_000 })

test("a call reports what it meets even if it fails", () =>
  run(
    Effect.gen(function* () {
      const spool = yield* openSpoolIn("damaged")
      yield* spool.append(encodeEvent(event(), null, Date.now()))
      const from = spool.durable()
      yield* spool.append(encodeEvent(event(), null, Date.now()))
      const to = spool.durable()
      yield* spool.append('[9,"from the future"]')
      const segment = join(spool.folder, segmentName(0))
      const bytes = readFileSync(segment)
      bytes[from + 20]! ^= 1
      writeFileSync(segment, bytes)
      const thread = yield* makeLakeThread(ENTRY, CONFIG)
      const ref = { folder: spool.folder, id: spool.id, oldest: spool.oldest }
      const reported: Array<CallEvent> = []
      const { reason } = yield* Effect.flip(
        thread.call("write", { spool: ref, upTo: spool.durable() }, (event) => reported.push(event))
      )

      expect(reason).toBe("Invalid")
      expect(reported).toEqual([{ kind: "damage", damage: { from, to } }])
    })
  ))

test(
  "calls fail when the lake's thread ends, and the next call starts a new thread that continues from the spool",
  () =>
    run(
      Effect.gen(function* () {
        const spool = yield* openSpoolIn("spool")
        const records = Array.from({ length: 5 }, () => event())
        for (const record of records) yield* spool.append(encodeEvent(record, record.session, Date.now()))
        const thread = yield* makeLakeThread(ENTRY, CONFIG)
        const ref = { folder: spool.folder, id: spool.id, oldest: spool.oldest }
        const upTo = spool.durable()
        expect(yield* thread.call("write", { spool: ref, upTo })).toMatchObject({ position: upTo, rows: 10 })

        const lost = yield* Effect.forkChild(
          Effect.flip(thread.call("write", { spool: { folder: "crash", id: "x", oldest: 0 }, upTo: 1 }))
        )
        expect((yield* Fiber.join(lost)).reason).toBe("Unavailable")
        expect(yield* thread.call("write", { spool: ref, upTo })).toMatchObject({ position: upTo, rows: 0 })

        const defect = yield* Effect.flip(thread.call("write", { spool: null as never, upTo: 5 }))
        expect(defect.message).toStartWith("The lake's thread ended: TypeError")
        expect(yield* thread.call("write", { spool: ref, upTo })).toMatchObject({ rows: 0 })
      })
    ),
  30_000
)
