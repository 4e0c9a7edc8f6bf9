import { expect, setDefaultTimeout, test } from "bun:test"
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Exit, Logger, Scope } from "effect"
import fc from "fast-check"
import type { OpenedSpool, Run, SpoolRolledBack } from "../../../layers/forward/Destination.ts"
import { type FlushSpool, makeFlushSpool } from "../../../layers/forward/makeFlushSpool.ts"
import { makeLakeDestination } from "../../../layers/lake/LakeDestination.ts"
import { encodeEvent } from "../../../layers/lake/records.ts"
import type { LakeThread } from "../../../layers/lake/worker/LakeThread.ts"
import type { CallEvent } from "../../../layers/lake/worker/protocol.ts"
import { type LakeWriter, makeLakeWriter } from "../../../layers/lake/writer/LakeWriter.ts"
import { openSpool, type Spool, type SpoolOptions } from "../../../layers/spool/Spool.ts"
import { folderFiles, type SpoolFiles } from "../../../layers/spool/SpoolFiles.ts"
import type { LakeTableName } from "../../../src/ports/LakeAdmin.ts"
import { event } from "../../support/collect/records.ts"
import { eventually } from "../../support/eventually.ts"
import { readLakeTable } from "../../support/lake/lakeStorage.ts"
import { NAMESPACE } from "../../support/lake/lakeTables.ts"
import { type Fate, MemoryCatalog } from "../../support/lake/MemoryCatalog.ts"
import { loggedLines } from "../../support/loggedLines.ts"
import { run } from "../../support/postgres/controlPlane.ts"

setDefaultTimeout(180_000)

const temporaryFolder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "footfall-spool-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)

/** A "thread" that works in this one. */
const threadOf = (writer: () => LakeWriter): LakeThread => ({
  call: ((name: "reconcile" | "write", input: unknown, onEvent: (event: CallEvent) => void) => {
    const events = {
      onConflict: () => {},
      onUnknown: () => {},
      onCommitted: () => {},
      onDamage: () => {},
      onRolledBack: (rolledBack: SpoolRolledBack) => onEvent({ kind: "rolled back", rolledBack })
    }
    return name === "reconcile"
      ? writer().reconcile(input as OpenedSpool, events)
      : writer().write(input as Run, events)
  }) as never
})

interface Accepted {
  readonly events: Array<string>
  readonly sessions: Array<string>
}

/** A collector, its spool and the lake. Each of its processes continues where the previous one ended, as if by `kill -9`. */
class Collector {
  readonly catalog = new MemoryCatalog()
  readonly folder: string
  /** Ids of the events, and of the sessions saved with some of them, that were accepted and not lost with the folder. */
  accepted: Accepted = { events: [], sessions: [] }
  writer: LakeWriter
  #copies = 0
  #copied: Accepted = this.accepted
  #spool: Spool | undefined
  #flushSpool: FlushSpool | undefined
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

  get spoolFolder(): string {
    return join(this.folder, "0")
  }

  /** Starts a process with this writer. The sleeps keep the times that are compared distinct. */
  start(writer = this.newWriter(), files: NonNullable<SpoolOptions["files"]> = folderFiles) {
    return Effect.gen({ self: this }, function* () {
      this.writer = writer
      this.#scope = yield* Scope.make()
      this.#spool = yield* openSpool({
        folder: this.spoolFolder,
        maxPending: 1_000,
        maxBytes: 2 ** 24,
        timeoutMs: 10_000,
        segmentBytes: 16_384,
        files
      }).pipe(Scope.provide(this.#scope))
      yield* Effect.sleep("2 millis")
      const destination = yield* makeLakeDestination(threadOf(() => this.writer))
      this.#flushSpool = yield* makeFlushSpool(destination, folderFiles)(this.#spool)
      yield* Effect.sleep("2 millis")
    })
  }

  readonly stop = Effect.suspend(() => Scope.close(this.#scope!, Exit.void))

  save(count: number, withSessions = false) {
    return Effect.gen({ self: this }, function* () {
      for (let index = 0; index < count; index++) {
        const record = event()
        yield* this.spool.append(encodeEvent(record, withSessions ? record.session : null, Date.now()))
        this.accepted.events.push(record.id)
        if (withSessions) this.accepted.sessions.push(record.session?.id ?? "")
      }
    })
  }

  /** Flushes everything, and trims it unless the process is killed before that. */
  flush({ trims = true } = {}) {
    return Effect.gen({ self: this }, function* () {
      const { position } = yield* this.#flushSpool!(this.spool.durable())
      if (trims) yield* this.spool.trim(position)
    })
  }

  copy(): void {
    rmSync(`${this.spoolFolder}-copy`, { recursive: true, force: true })
    cpSync(this.spoolFolder, `${this.spoolFolder}-copy`, { recursive: true })
    this.#copied = structuredClone(this.accepted)
    this.#copies++
  }

  /** Replaces the folder with its copy. What was accepted since and is not in the lake is lost with the folder. */
  readonly restore = Effect.gen({ self: this }, function* () {
    if (this.#copies === 0) return
    rmSync(this.spoolFolder, { recursive: true })
    cpSync(`${this.spoolFolder}-copy`, this.spoolFolder, { recursive: true })
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

/** A spool that was rolled back behind the lake, and a process that has just opened it. */
const rollBack = (collector: Collector) =>
  Effect.gen(function* () {
    yield* collector.start()
    yield* collector.save(5, true)
    yield* collector.flush()
    yield* collector.save(2, true)
    collector.copy()
    yield* collector.save(10, true)
    yield* collector.flush()
    yield* collector.stop
    yield* collector.restore
    yield* collector.start()
  })

test("records that a restored copy of a spool accepts reach the lake once, and the rollback is logged once", () =>
  withCollector((collector) =>
    Effect.gen(function* () {
      yield* rollBack(collector)
      yield* collector.save(3)
      expect(yield* loggedLines(collector.flush())).toEqual([
        expect.stringMatching(
          /^The spool in \S+ ends at \d+ but the lake is at \d+: it was restored from an older copy or lost files\./
        )
      ])
      yield* collector.save(3)
      expect(yield* loggedLines(collector.flush())).toEqual([])
      yield* collector.expectOnce
    })
  ))

test("a restored copy of a spool that grows past the lake's watermark before it is flushed is in the lake once", () =>
  withCollector((collector) =>
    Effect.gen(function* () {
      yield* rollBack(collector)
      yield* collector.save(100)
      yield* collector.flush()
      yield* collector.expectOnce
    })
  ))

test("a restored copy of a spool loses nothing when its process is killed before the first flush", () =>
  withCollector((collector) =>
    Effect.gen(function* () {
      yield* rollBack(collector)
      yield* collector.save(3)
      yield* collector.stop
      yield* collector.start()
      yield* collector.save(2)
      yield* collector.flush()
      yield* collector.expectOnce
    })
  ))

test("a restored copy of a spool is in the lake once when its process is killed between commit and trim", () =>
  withCollector((collector) =>
    Effect.gen(function* () {
      yield* rollBack(collector)
      yield* collector.save(3)
      yield* collector.flush({ trims: false })
      yield* collector.stop
      yield* collector.start()
      yield* collector.save(2)
      yield* collector.flush()
      yield* collector.expectOnce
    })
  ))

test("a table for which a restored copy has no rows yet gets the rows that come later", () =>
  withCollector((collector) =>
    Effect.gen(function* () {
      yield* rollBack(collector)
      yield* collector.save(1)
      yield* collector.flush()
      yield* collector.save(1, true)
      yield* collector.stop
      yield* collector.start()
      yield* collector.flush()
      yield* collector.expectOnce
    })
  ))

test("a restored copy from before the first flush of its process adds nothing twice", () =>
  withCollector((collector) =>
    Effect.gen(function* () {
      yield* collector.start()
      yield* collector.save(5)
      collector.copy()
      yield* collector.save(5)
      yield* collector.flush()
      yield* collector.stop
      yield* collector.restore
      yield* collector.start()
      yield* collector.save(2)
      yield* collector.stop
      yield* collector.start()
      yield* collector.save(2)
      yield* collector.flush()
      yield* collector.expectOnce
    })
  ))

test("a spool whose segments are lost but whose id is not continues where it was trimmed", () =>
  withCollector((collector) =>
    Effect.gen(function* () {
      yield* collector.start()
      yield* collector.save(5)
      yield* collector.flush()
      yield* collector.save(5)
      yield* collector.flush({ trims: false })
      yield* collector.stop
      for (const name of readdirSync(collector.spoolFolder)) {
        if (name.endsWith(".log")) rmSync(join(collector.spoolFolder, name))
      }
      yield* collector.start()
      yield* collector.save(2)
      yield* collector.flush()
      yield* collector.expectOnce
    })
  ))

test("lost answers and conflicts of the commits that rewind a watermark change nothing", () =>
  withCollector((collector) =>
    Effect.gen(function* () {
      yield* rollBack(collector)
      yield* collector.save(3)
      const { catalog } = collector
      catalog.fates = ["committed, answer lost", "lost", "refused as a conflict", "committed", "committed, answer lost"]
      yield* collector.flush()
      expect(catalog.fates).toEqual([])
      yield* collector.expectOnce
    })
  ))

test("a spool that cannot write its last records again because the disk is full does not count as rolled back", () =>
  withCollector((collector) =>
    Effect.gen(function* () {
      yield* collector.start()
      yield* collector.save(5)
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
      expect(yield* loggedLines(collector.flush({ trims: false }))).toEqual([])
      isFull = false
      yield* eventually("the disk is retried", () => collector.spool.status().ready)
      yield* collector.save(1)
      yield* collector.flush()
      yield* collector.expectOnce
    })
  ))

test("a lake's thread that restarts after commits continues from their watermarks", () =>
  withCollector((collector) =>
    Effect.gen(function* () {
      yield* collector.start()
      yield* collector.save(5)
      yield* collector.flush({ trims: false })
      collector.writer = collector.newWriter()
      yield* collector.save(5)
      yield* collector.flush({ trims: false })
      yield* collector.expectOnce
    })
  ))

test("a process that wrote a spool before it was rolled back reads the watermarks again when it opens it", () =>
  withCollector((collector) =>
    Effect.gen(function* () {
      yield* rollBack(collector)
      const adopter = collector.newWriter()
      yield* collector.stop
      // It adopts the spool, which others use, restore and use again in between.
      yield* collector.start(adopter)
      yield* collector.save(5)
      yield* collector.flush()
      yield* collector.stop
      yield* collector.restore
      yield* collector.start()
      yield* collector.flush()
      yield* collector.save(2)
      yield* collector.stop
      yield* collector.start(adopter)
      yield* collector.flush()
      yield* collector.expectOnce
    })
  ))

test("openings are noted until the spool was compared with the lake and cleared before the first commit", () =>
  withCollector((collector) =>
    Effect.gen(function* () {
      const isNoted = () => existsSync(join(collector.spoolFolder, "openings"))
      const noted: Array<boolean> = []
      collector.catalog.before = () => Effect.sync(() => void noted.push(isNoted()))
      yield* collector.start()
      expect(isNoted()).toBe(true)
      yield* collector.save(1, true)
      yield* collector.flush()
      expect(noted).toEqual([false, false])
    })
  ))

const anyStep = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("save" as const), count: fc.integer({ min: 1, max: 8 }) }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant("flush" as const), trims: fc.boolean(), isNewThread: fc.boolean() })
  },
  { weight: 2, arbitrary: fc.constant({ kind: "kill" as const }) },
  { weight: 2, arbitrary: fc.constant({ kind: "copy" as const }) },
  { weight: 2, arbitrary: fc.constant({ kind: "restore" as const }) }
)
const fates = fc.array(fc.constantFrom<Fate>("committed", "committed, answer lost", "lost", "refused as a conflict"), {
  maxLength: 10
})

test("each record that was not lost with the folder is in the lake once, whenever the spool is copied and restored and its process killed", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyStep, { minLength: 5, maxLength: 20 }), fates, (steps, commitFates) =>
      withCollector((collector) =>
        Effect.gen(function* () {
          collector.catalog.fates = [...commitFates]
          yield* collector.start()
          for (const step of steps) {
            if (step.kind === "save") yield* collector.save(step.count, step.count % 2 === 0)
            else if (step.kind === "flush") {
              if (step.isNewThread) collector.writer = collector.newWriter()
              yield* Effect.ignore(collector.flush(step))
            } else if (step.kind === "copy") collector.copy()
            else {
              yield* collector.stop
              if (step.kind === "restore") yield* collector.restore
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
