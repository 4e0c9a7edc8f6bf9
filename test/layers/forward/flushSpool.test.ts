import { expect, setDefaultTimeout, test } from "bun:test"
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Exit, Logger, Metric, Scope } from "effect"
import fc from "fast-check"
import { type BringIn, makeBringIn } from "../../../layers/forward/flushSpool.ts"
import {
  lakeBytes,
  lakeCommitSeconds,
  lakeConflicts,
  lakeFiles,
  lakeRows,
  lakeUnknown
} from "../../../layers/forward/metrics.ts"
import { icebergError } from "../../../layers/iceberg/IcebergError.ts"
import { encodeEvent } from "../../../layers/lake/records.ts"
import type { LakeTableName } from "../../../layers/lake/schema.ts"
import type { LakeThread } from "../../../layers/lake/worker/LakeThread.ts"
import type { CallEvent } from "../../../layers/lake/worker/protocol.ts"
import { type FellBack, type LakeWriter, makeLakeWriter } from "../../../layers/lake/writer/LakeWriter.ts"
import { openSpool, type Spool, type SpoolOptions } from "../../../layers/spool/Spool.ts"
import { folderFiles, type SpoolFiles } from "../../../layers/spool/SpoolFiles.ts"
import { run } from "../../support/controlPlane.ts"
import { eventually } from "../../support/eventually.ts"
import { type Fate, MemoryCatalog } from "../../support/lake.ts"
import { readLakeTable } from "../../support/lakeStorage.ts"
import { NAMESPACE } from "../../support/lakeTables.ts"
import { event } from "../../support/records.ts"

setDefaultTimeout(60_000)

const temporaryFolder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "footfall-log-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)

/** What is logged meanwhile. */
const lines = (effect: Effect.Effect<unknown, unknown>) =>
  Effect.gen(function* () {
    const logged: Array<string> = []
    const logger = Logger.make(({ message }) => void logged.push(String(message)))
    yield* Effect.provide(Effect.exit(effect), Logger.layer([logger]))
    return logged
  })

/** A thread whose flushes meet these events, each call its own, and fail. */
const failing = (calls: ReadonlyArray<ReadonlyArray<CallEvent>>): LakeThread => {
  const left = [...calls]
  return {
    call: (name, _given, onEvent = () => {}) =>
      Effect.suspend(() => {
        if (name !== "flush") return Effect.succeed(null as never)
        for (const event of left.shift() ?? []) onEvent(event)
        return Effect.fail(icebergError("Unavailable", "The bucket can't be reached."))
      })
  }
}
const failingLog = Effect.map(temporaryFolder, (folder) => ({ folder, id: "a", oldest: 0, accepted: () => 0 }))

const counted = Effect.all([
  ...[lakeConflicts, lakeUnknown, lakeRows, lakeFiles, lakeBytes].map((metric) => Metric.value(metric)),
  Metric.value(lakeCommitSeconds)
])

test("what the commits of a flush brought and met is counted when it fails", () =>
  run(
    Effect.gen(function* () {
      const before = yield* counted
      const committed = { rows: 30, files: 4, bytes: 5_000, seconds: 0.02 }
      const thread = failing([
        [{ kind: "conflict" }, { kind: "conflict" }, { kind: "unknown" }, { kind: "committed", committed }]
      ])
      const bringIn = yield* (yield* makeBringIn(thread, folderFiles))(yield* failingLog)
      const { reason } = yield* Effect.flip(bringIn(100))
      const after = yield* counted

      expect(reason).toBe("Unavailable")
      expect(after.map(({ count }, index) => Number(count) - Number(before[index]!.count))).toEqual([
        2, 1, 30, 4, 5_000, 1
      ])
    })
  ))

test("damage is told when the flush that met it fails, and not again by those that meet it after", () =>
  run(
    Effect.gen(function* () {
      const first: CallEvent = { kind: "damage", damage: { from: 10, to: 20 } }
      // The log has grown where nothing can be read.
      const second: CallEvent = { kind: "damage", damage: { from: 10, to: 30 } }
      const other: CallEvent = { kind: "damage", damage: { from: 50, to: 60 } }
      const open = yield* makeBringIn(failing([[first], [second, other], [second, other]]), folderFiles)
      const log = yield* failingLog
      const bringIn = yield* open(log)

      expect(yield* lines(bringIn(100))).toEqual([
        `The log in ${log.folder} is damaged from 10 to 20: the records there are lost. Check the disk; the rest is brought in.`
      ])
      expect(yield* lines(bringIn(100))).toEqual([expect.stringContaining("damaged from 50 to 60")])
      // As when a log that another collector left is tried again.
      expect(yield* lines((yield* open(log))(100))).toEqual([])
    })
  ))

const threadOf = (writer: () => LakeWriter): LakeThread => ({
  call: ((name: "compare" | "flush", given: never, onEvent: (event: CallEvent) => void) => {
    const events = {
      onConflict: () => {},
      onUnknown: () => {},
      onCommitted: () => {},
      onDamage: () => {},
      onFellBack: (fellBack: FellBack) => onEvent({ kind: "fell back", fellBack })
    }
    const { log, upTo } = given as { log: never; upTo: number }
    return name === "compare" ? writer().compare(given, events) : writer().flush(log, upTo, events)
  }) as never
})

interface Accepted {
  readonly events: Array<string>
  readonly sessions: Array<string>
}

/** A collector, its log, and the lake; each process of it goes on where the one before ended, as if by kill -9. */
class Collector {
  readonly catalog = new MemoryCatalog()
  readonly folder: string
  /** Ids of what was accepted and not lost with the folder: of events, and of the sessions that came with some. */
  accepted: Accepted = { events: [], sessions: [] }
  writer: LakeWriter
  #copies = 0
  #copied: Accepted = this.accepted
  #spool: Spool | undefined
  #bringIn: BringIn | undefined
  #scope: Scope.Closeable | undefined

  constructor(folder: string) {
    this.folder = folder
    this.writer = this.newWriter()
  }

  newWriter(): LakeWriter {
    return makeLakeWriter({ catalog: this.catalog, namespace: NAMESPACE })
  }

  get spool(): Spool {
    return this.#spool!
  }

  get log(): string {
    return join(this.folder, "0")
  }

  /** Of the process that has this writer; times that decide are never the same. */
  start(writer = this.newWriter(), files: NonNullable<SpoolOptions["files"]> = folderFiles) {
    return Effect.gen({ self: this }, function* () {
      this.writer = writer
      this.#scope = yield* Scope.make()
      this.#spool = yield* openSpool({
        folder: this.log,
        maxPending: 1_000,
        maxBytes: 2 ** 24,
        timeoutMs: 10_000,
        segmentBytes: 16_384,
        files
      }).pipe(Scope.provide(this.#scope))
      yield* Effect.sleep("2 millis")
      const open = yield* makeBringIn(
        threadOf(() => this.writer),
        folderFiles
      )
      this.#bringIn = yield* open(this.#spool)
      yield* Effect.sleep("2 millis")
    })
  }

  readonly stop = Effect.suspend(() => Scope.close(this.#scope!, Exit.void))

  take(count: number, withSessions = false) {
    return Effect.gen({ self: this }, function* () {
      for (let index = 0; index < count; index++) {
        const record = event()
        yield* this.spool.append(encodeEvent(record, withSessions ? record.session : null, Date.now()))
        this.accepted.events.push(record.id)
        if (withSessions) this.accepted.sessions.push(record.session?.id ?? "")
      }
    })
  }

  /** Brings in everything, and gives it up unless it is killed before. */
  flush({ trims = true } = {}) {
    return Effect.gen({ self: this }, function* () {
      const { position } = yield* this.#bringIn!(this.spool.durable())
      if (trims) yield* this.spool.trim(position)
    })
  }

  copy(): void {
    rmSync(`${this.log}-copy`, { recursive: true, force: true })
    cpSync(this.log, `${this.log}-copy`, { recursive: true })
    this.#copied = structuredClone(this.accepted)
    this.#copies++
  }

  /** The copy, in the folder's place; what was accepted since and is not in the lake is lost with the folder. */
  readonly putBack = Effect.gen({ self: this }, function* () {
    if (this.#copies === 0) return
    rmSync(this.log, { recursive: true })
    cpSync(`${this.log}-copy`, this.log, { recursive: true })
    const { events, sessions } = yield* this.stored
    this.accepted = {
      events: [...new Set([...this.#copied.events, ...events])],
      sessions: [...new Set([...this.#copied.sessions, ...sessions])]
    }
  })

  #ids(table: LakeTableName, column: string) {
    return readLakeTable({ catalog: this.catalog, namespace: NAMESPACE }, table).pipe(
      Effect.map((rows) => rows.map((row) => row[column] as string).sort()),
      Effect.catchIf(
        (error) => error.reason === "NotFound",
        () => Effect.succeed([])
      )
    )
  }

  readonly stored = Effect.suspend(() =>
    Effect.all({ events: this.#ids("pa_events", "event_id"), sessions: this.#ids("pa_sessions", "session_id") })
  )

  readonly expectOnce = Effect.gen({ self: this }, function* () {
    const { events, sessions } = this.accepted
    expect(yield* this.stored).toEqual({ events: events.toSorted(), sessions: sessions.toSorted() })
  })
}

const withCollector = (body: (collector: Collector) => Effect.Effect<void, unknown, Scope.Scope>) =>
  run(
    Effect.gen(function* () {
      const collector = new Collector(yield* temporaryFolder)
      yield* Effect.ensuring(body(collector), Effect.exit(collector.stop))
    }).pipe(Effect.provide(Logger.layer([])))
  )

/** A log that ends behind what the lake has of it, and a process that has just opened it. */
const fallBack = (collector: Collector) =>
  Effect.gen(function* () {
    yield* collector.start()
    yield* collector.take(5, true)
    yield* collector.flush()
    yield* collector.take(2, true)
    collector.copy()
    yield* collector.take(10, true)
    yield* collector.flush()
    yield* collector.stop
    yield* collector.putBack
    yield* collector.start()
  })

test("what a log takes after an earlier copy of it was put back gets into the lake once, and the operator is told once", () =>
  withCollector((collector) =>
    Effect.gen(function* () {
      yield* fallBack(collector)
      yield* collector.take(3)
      expect(yield* lines(collector.flush())).toEqual([
        expect.stringMatching(
          /^The log in \S+ ended at \d+ when it was opened, the lake has it up to \d+: an earlier copy of the folder was put back/
        )
      ])
      yield* collector.take(3)
      expect(yield* lines(collector.flush())).toEqual([])
      yield* collector.expectOnce
    })
  ))

test("a log that fell back and grew beyond what the lake has before it is brought in is in the lake once", () =>
  withCollector((collector) =>
    Effect.gen(function* () {
      yield* fallBack(collector)
      yield* collector.take(100)
      yield* collector.flush()
      yield* collector.expectOnce
    })
  ))

test("a log that fell back, and whose process is killed before it brought anything in, loses nothing", () =>
  withCollector((collector) =>
    Effect.gen(function* () {
      yield* fallBack(collector)
      yield* collector.take(3)
      yield* collector.stop
      yield* collector.start()
      yield* collector.take(2)
      yield* collector.flush()
      yield* collector.expectOnce
    })
  ))

test("a log that fell back, and whose process is killed between the commit and giving up, is in the lake once", () =>
  withCollector((collector) =>
    Effect.gen(function* () {
      yield* fallBack(collector)
      yield* collector.take(3)
      yield* collector.flush({ trims: false })
      yield* collector.stop
      yield* collector.start()
      yield* collector.take(2)
      yield* collector.flush()
      yield* collector.expectOnce
    })
  ))

test("a table that a log has nothing for when it falls back gets what comes for it later", () =>
  withCollector((collector) =>
    Effect.gen(function* () {
      yield* fallBack(collector)
      yield* collector.take(1)
      yield* collector.flush()
      yield* collector.take(1, true)
      yield* collector.stop
      yield* collector.start()
      yield* collector.flush()
      yield* collector.expectOnce
    })
  ))

test("a copy from before the first flush of its process brings nothing in twice", () =>
  withCollector((collector) =>
    Effect.gen(function* () {
      yield* collector.start()
      yield* collector.take(5)
      collector.copy()
      yield* collector.take(5)
      yield* collector.flush()
      yield* collector.stop
      yield* collector.putBack
      yield* collector.start()
      yield* collector.take(2)
      yield* collector.stop
      yield* collector.start()
      yield* collector.take(2)
      yield* collector.flush()
      yield* collector.expectOnce
    })
  ))

test("a log whose files vanished, but not its name, goes on where it was given up", () =>
  withCollector((collector) =>
    Effect.gen(function* () {
      yield* collector.start()
      yield* collector.take(5)
      yield* collector.flush()
      yield* collector.take(5)
      yield* collector.flush({ trims: false })
      yield* collector.stop
      for (const name of readdirSync(collector.log)) {
        if (name.endsWith(".log")) rmSync(join(collector.log, name))
      }
      yield* collector.start()
      yield* collector.take(2)
      yield* collector.flush()
      yield* collector.expectOnce
    })
  ))

test("what becomes of the commits that take a log back changes nothing", () =>
  withCollector((collector) =>
    Effect.gen(function* () {
      yield* fallBack(collector)
      yield* collector.take(3)
      const { catalog } = collector
      catalog.fates = ["committed, answer lost", "lost", "refused as a conflict", "committed", "committed, answer lost"]
      yield* collector.flush()
      expect(catalog.fates).toEqual([])
      yield* collector.expectOnce
    })
  ))

test("a log that can't write again what was written last, as its disk is full, has not fallen back", () =>
  withCollector((collector) =>
    Effect.gen(function* () {
      yield* collector.start()
      yield* collector.take(5)
      yield* collector.flush({ trims: false })
      yield* collector.stop
      let isFull = true
      const files = (folder: string): SpoolFiles => {
        const { create, ...others } = folderFiles(folder)
        const full = Object.assign(new Error("full"), { code: "ENOSPC" })
        return { ...others, create: (name) => (isFull ? Promise.reject(full) : create(name)) }
      }
      yield* collector.start(undefined, files)
      expect(collector.spool.durable()).toBeLessThan(collector.spool.accepted())
      expect(yield* lines(collector.flush({ trims: false }))).toEqual([])
      isFull = false
      yield* eventually("the disk is tried again", () => collector.spool.status().ready)
      yield* collector.take(1)
      yield* collector.flush()
      yield* collector.expectOnce
    })
  ))

test("a lake's thread that is started anew after commits goes by them", () =>
  withCollector((collector) =>
    Effect.gen(function* () {
      yield* collector.start()
      yield* collector.take(5)
      yield* collector.flush({ trims: false })
      collector.writer = collector.newWriter()
      yield* collector.take(5)
      yield* collector.flush({ trims: false })
      yield* collector.expectOnce
    })
  ))

test("a process that knows a log from before it fell back goes by what it finds", () =>
  withCollector((collector) =>
    Effect.gen(function* () {
      yield* fallBack(collector)
      const heir = collector.newWriter()
      yield* collector.stop
      // It takes the log over, which others use, put back and use again in between.
      yield* collector.start(heir)
      yield* collector.take(5)
      yield* collector.flush()
      yield* collector.stop
      yield* collector.putBack
      yield* collector.start()
      yield* collector.flush()
      yield* collector.take(2)
      yield* collector.stop
      yield* collector.start(heir)
      yield* collector.flush()
      yield* collector.expectOnce
    })
  ))

test("openings are noted until they are compared, and forgotten before anything is brought in", () =>
  withCollector((collector) =>
    Effect.gen(function* () {
      const isNoted = () => existsSync(join(collector.log, "openings"))
      const met: Array<boolean> = []
      collector.catalog.before = () => Effect.sync(() => void met.push(isNoted()))
      yield* collector.start()
      expect(isNoted()).toBe(true)
      yield* collector.take(1, true)
      yield* collector.flush()
      expect(met).toEqual([false, false])
    })
  ))

const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("take" as const), count: fc.integer({ min: 1, max: 8 }) }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant("flush" as const), trims: fc.boolean(), isNewThread: fc.boolean() })
  },
  { weight: 2, arbitrary: fc.constant({ kind: "kill" as const }) },
  { weight: 2, arbitrary: fc.constant({ kind: "copy" as const }) },
  { weight: 2, arbitrary: fc.constant({ kind: "put back" as const }) }
)
const fates = fc.array(fc.constantFrom<Fate>("committed", "committed, answer lost", "lost", "refused as a conflict"), {
  maxLength: 10
})

test("whenever a log is copied and put back, and its process killed, each record that was not lost with the folder is in the lake once", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 20 }), fates, (steps, given) =>
      withCollector((collector) =>
        Effect.gen(function* () {
          collector.catalog.fates = [...given]
          yield* collector.start()
          for (const one of steps) {
            if (one.kind === "take") yield* collector.take(one.count, one.count % 2 === 0)
            else if (one.kind === "flush") {
              if (one.isNewThread) collector.writer = collector.newWriter()
              yield* Effect.ignore(collector.flush(one))
            } else if (one.kind === "copy") collector.copy()
            else {
              yield* collector.stop
              if (one.kind === "put back") yield* collector.putBack
              yield* collector.start()
            }
          }
          collector.catalog.fates = []
          yield* Effect.retry(collector.flush(), { times: 2 })
          yield* collector.expectOnce
        })
      )
    ),
    { numRuns: 60 }
  )
})
