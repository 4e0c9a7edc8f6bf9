import { hostname } from "node:os"
import { join } from "node:path"
import { Clock, Effect, Layer, Redacted, type Scope } from "effect"
import { StartError } from "../../src/domain/StartError.ts"
import { StorageError } from "../../src/domain/StorageError.ts"
import { onFailureDirect } from "../../src/lib/callbackEffect.ts"
import { Settings } from "../../src/ports/Settings.ts"
import { Storage } from "../../src/ports/Storage.ts"
import { fromEnvironment } from "../../src/settings/environment.ts"
import {
  DATA_DIR,
  LAKE_FLUSH_BATCH_SIZE,
  LAKE_FLUSH_BYTES,
  LAKE_FLUSH_INTERVAL_SECONDS,
  SPOOL_DIR,
  SPOOL_MAX_BYTES,
  STORAGE_QUEUE_EVENTS,
  STORAGE_TIMEOUT_SECONDS
} from "../../src/settings/settings.ts"
import { type Flusher, makeFlusher } from "../forward/Flusher.ts"
import { type BringIn, makeBringIn, type OpenedSpool } from "../forward/flushSpool.ts"
import { report, reportFlushed, reportGone } from "../forward/Writers.ts"
import type { IcebergError } from "../iceberg/IcebergError.ts"
import { StoredSessions } from "../inprocess/StoredSessions.ts"
import { AppDatabase, DatabaseUrl } from "../postgres/client/Database.ts"
import { claimSpool, listSpools } from "../spool/claim.ts"
import type { Spool, SpoolOptions } from "../spool/Spool.ts"
import { openSpool } from "../spool/Spool.ts"
import { folderFiles } from "../spool/SpoolFiles.ts"
import { lakeConfig } from "./LakeConfig.ts"
import { encodeEvent, encodeIdentity } from "./records.ts"
import { makeLakeThread } from "./worker/LakeThread.ts"

/** UTF-16 units of an event's name: the lake would take longer ones, but what no other store takes is refused here too. */
const EVENT_NAME_LENGTH = 50
/** How often a collector tells of itself, and looks whether a flush was asked for. */
const REPORT_INTERVAL = "2 seconds"
/** How often logs are looked for whose collector is gone. */
const ADOPTION_INTERVAL = "30 seconds"
/** How long the last flush may take when the process stops. What is left then stays in the log, for the next start. */
const LAST_FLUSH_TIMEOUT = "15 seconds"
/** How long telling of the end may take; others notice it by themselves. */
const LAST_REPORT_TIMEOUT = "2 seconds"

const unavailable = (message: string) => new StorageError({ reason: "Unavailable", message })

/** Strictly growing times, in ms since the epoch with microseconds after the point, so that records have an order. */
const stamps = (clock: Clock.Clock): (() => number) => {
  let last = 0
  return () => {
    last = Math.max(clock.currentTimeMillisUnsafe() * 1_000, last + 1)
    return last / 1_000
  }
}

/** Brings in a log whose collector is gone, and gives it back empty. Nothing happens when somebody uses it. */
const adopt = Effect.fnUntraced(function* (
  folder: string,
  options: Omit<SpoolOptions, "folder">,
  bringIn: (spool: OpenedSpool) => Effect.Effect<BringIn>
) {
  const opened = yield* Effect.result(openSpool({ ...options, folder, ahead: false }))
  if (opened._tag === "Failure") {
    if (opened.failure.reason !== "Locked") yield* Effect.logWarning(opened.failure.message)
    return
  }
  const spool = opened.success
  if (spool.durable() <= spool.oldest) return
  const upTo = spool.durable()
  const result = yield* (yield* bringIn(spool))(upTo)
  yield* spool.trim(upTo)
  if (result.rows > 0) yield* Effect.logInfo(`Brought in ${result.rows} rows that another collector left in ${folder}.`)
}, Effect.scoped)

export interface IcebergStorageOptions {
  /** What stands between the log and its folder; by default nothing. */
  readonly files?: SpoolOptions["files"]
  /** Where logs are; by default where the environment says. */
  readonly spoolFolder?: string
}

/**
 * Events in an Iceberg lake. A record is answered when it is on this machine's disk (`layers/spool`); from there it gets into
 * the tables within the flush interval, exactly once, whatever ends in between: the commit that brings rows also sets how far
 * the log is in the table. A record given twice makes two rows: the pipeline gives each event an id of its own, once. A lake
 * that can't be reached lets the log grow up to `SPOOL_MAX_BYTES`; past that, records are refused as `Overloaded`.
 * `threadEntry` is the program of the thread that works on the lake.
 */
export const icebergStorage = (
  threadEntry: URL,
  { files = folderFiles, spoolFolder }: IcebergStorageOptions = {}
): Layer.Layer<Storage, StartError, AppDatabase | DatabaseUrl | Settings> =>
  Layer.effect(
    Storage,
    Effect.gen(function* () {
      const sql = yield* AppDatabase
      const settings = yield* Settings
      const { get } = settings
      const config = yield* lakeConfig(settings, Redacted.value((yield* DatabaseUrl).url))
      const root = spoolFolder ?? (yield* fromEnvironment(SPOOL_DIR)) ?? join(yield* fromEnvironment(DATA_DIR), "spool")
      const clock = yield* Clock.Clock
      const stamp = stamps(clock)
      const stored = new StoredSessions()
      const options = {
        maxPending: get(STORAGE_QUEUE_EVENTS),
        maxBytes: get(SPOOL_MAX_BYTES),
        timeoutMs: get(STORAGE_TIMEOUT_SECONDS) * 1_000,
        files
      }
      const spool = yield* Effect.mapError(
        claimSpool(root, options),
        ({ message }) => new StartError({ message: `${message} SPOOL_DIR says where logs are.` })
      )
      if (spool.cut > 0) {
        yield* Effect.logWarning(
          `The log in ${spool.folder} ended in ${spool.cut} bytes that are no record, of a write that was cut off: no client was told of it.`
        )
      }
      const thread = yield* makeLakeThread(threadEntry, config)
      // Loading its code takes a second of a core, which the first flush would have to share with clients.
      yield* Effect.forkScoped(Effect.ignore(thread.call("prepare", null)))
      const bringIn = yield* makeBringIn(thread, files)
      const flusher = yield* makeFlusher(
        spool,
        {
          intervalMs: get(LAKE_FLUSH_INTERVAL_SECONDS) * 1_000,
          batchSize: get(LAKE_FLUSH_BATCH_SIZE),
          bytes: get(LAKE_FLUSH_BYTES)
        },
        yield* bringIn(spool)
      )
      const flush = Effect.andThen(
        // What fails there is told to whoever saved it.
        Effect.ignore(spool.settled),
        Effect.suspend(() => flusher.flush(spool.durable()))
      )
      const state = () => ({
        logId: spool.id,
        host: hostname(),
        folder: spool.folder,
        backlogBytes: flusher.backlog(),
        lastSuccessAt: flusher.lastSuccessAt(),
        failure: flusher.failure()?.message ?? null
      })
      yield* background(
        REPORT_INTERVAL,
        Effect.gen(function* () {
          if (!(yield* report(sql, state()))) return
          yield* flush
          yield* reportFlushed(sql, state())
        })
      )
      yield* background(
        ADOPTION_INTERVAL,
        Effect.flatMap(listSpools(root), (folders) =>
          Effect.forEach(
            folders.filter((folder) => folder !== spool.folder),
            (folder) => adopt(folder, options, bringIn),
            { discard: true }
          )
        )
      )
      yield* Effect.addFinalizer(() =>
        flush.pipe(
          Effect.timeoutOrElse({
            duration: LAST_FLUSH_TIMEOUT,
            orElse: () => Effect.fail({ message: `it took more than ${LAST_FLUSH_TIMEOUT}.` })
          }),
          Effect.catch(({ message }) =>
            Effect.logWarning(
              `${flusher.backlog()} bytes stay in ${spool.folder} for the next start, the lake did not take them: ${message}`
            )
          ),
          Effect.andThen(
            Effect.suspend(() => reportGone(sql, spool.id, flusher.backlog())).pipe(
              Effect.timeout(LAST_REPORT_TIMEOUT),
              Effect.ignore
            )
          )
        )
      )
      return storageOf(spool, flusher, flush, stamp, stored)
    })
  )

/** Does something again and again; a failure is not the end of it. */
const background = (
  interval: typeof REPORT_INTERVAL | typeof ADOPTION_INTERVAL,
  work: Effect.Effect<void, { readonly message: string }>
): Effect.Effect<unknown, never, Scope.Scope> =>
  work.pipe(
    Effect.catch(({ message }) => Effect.logDebug(message)),
    Effect.andThen(Effect.sleep(interval)),
    Effect.forever,
    Effect.forkScoped
  )

const storageOf = (
  spool: Spool,
  { failure, note }: Flusher,
  flush: Effect.Effect<void, IcebergError>,
  stamp: () => number,
  stored: StoredSessions
): Storage["Service"] => {
  let refused: { readonly at: number; readonly message: string } | null = null
  return Storage.of({
    saveEvent: (record) => {
      if (record.name !== null && record.name.length > EVENT_NAME_LENGTH) {
        const error = new StorageError({
          reason: "Refused",
          message: `The record can't be stored: a text is too long (an event's name has ${EVENT_NAME_LENGTH} characters at most).`
        })
        refused = { at: Math.floor(stamp()), message: error.message }
        return Effect.fail(error)
      }
      note(record.siteId)
      const session = record.session
      if (session === null || stored.has(session.id)) return spool.append(encodeEvent(record, null, stamp()))
      // Those that come behind it go without: when it fails, they do too.
      stored.add(session.id)
      return onFailureDirect(spool.append(encodeEvent(record, session, stamp())), () => stored.remove(session.id))
    },
    saveIdentity: (record) => {
      note(record.session.siteId)
      return spool.append(encodeIdentity(record, stamp()))
    },
    flush: Effect.mapError(flush, ({ message }) => unavailable(message)),
    ping: Effect.suspend(() => {
      const { lastError, ready } = spool.status()
      return ready ? Effect.void : Effect.fail(unavailable(lastError ?? "The log of accepted records is full."))
    }),
    status: Effect.sync(() => {
      const { diskBytes: _, ...status } = spool.status()
      const last = [
        { at: status.lastErrorAt, message: status.lastError },
        failure() ?? { at: null, message: null },
        refused ?? { at: null, message: null }
      ].reduce((a, b) => ((b.at ?? 0) > (a.at ?? 0) ? b : a))
      return { backend: "iceberg", ...status, lastErrorAt: last.at, lastError: last.message }
    })
  })
}
