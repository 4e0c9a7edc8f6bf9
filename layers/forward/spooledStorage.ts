import { hostname } from "node:os"
import { Clock, Effect, type Scope } from "effect"
import type { SqlClient } from "effect/sql"
import { SIZE } from "../../src/domain/columnSizes.ts"
import type { EventRecord, IdentityRecord, SessionRecord } from "../../src/domain/Event.ts"
import { StartError } from "../../src/domain/StartError.ts"
import { StorageError } from "../../src/domain/StorageError.ts"
import { onFailureDirect, suspendDirect } from "../../src/lib/callbackEffect.ts"
import type { Storage } from "../../src/ports/Storage.ts"
import { StoredSessions } from "../inprocess/StoredSessions.ts"
import { claimSpool, listSpools } from "../spool/claimSpool.ts"
import type { Spool, SpoolOptions } from "../spool/Spool.ts"
import { folderFiles } from "../spool/SpoolFiles.ts"
import { adoptSpool } from "./adoptSpool.ts"
import { type Destination, DestinationError } from "./Destination.ts"
import { type Flusher, makeFlusher } from "./Flusher.ts"
import type { FlushLimits } from "./FlushSchedule.ts"
import { makeFlushSpool } from "./makeFlushSpool.ts"
import { makeForwardMetrics } from "./metrics.ts"
import { ownSpool } from "./ownedSpool.ts"
import { displacedBy, GONE_AFTER_SECONDS, type Report, report, reportFlushed, reportStopped } from "./WriterRegistry.ts"

/** How often a collector reports its state and checks whether a flush was requested. */
const REPORT_INTERVAL = "2 seconds"
/** How often spools are searched for one whose collector is gone. */
const ADOPTION_INTERVAL = "30 seconds"
/**
 * How long the last flush may take when the process stops, in ms. What is left stays in the spool for the next start. It is also at most
 * this part of the time that stopping may take, so that a destination that hangs does not make the process miss its deadline.
 */
const LAST_FLUSH_TIMEOUT_MS = 15_000
const LAST_FLUSH_PART = 0.6
/** How long the last report may take; without it, other processes consider the collector gone a little later. */
const LAST_REPORT_TIMEOUT = "2 seconds"

/** How records are written to the spool. The destination decodes them. */
export interface RecordCodec {
  /**
   * `session` is null when a row of the session with the same or an earlier start was sent before. `receivedAt` is ms since the epoch with microseconds after the point,
   * different for each record of a process.
   */
  readonly encodeEvent: (record: EventRecord, session: SessionRecord | null, receivedAt: number) => string
  readonly encodeIdentity: (record: IdentityRecord, receivedAt: number) => string
}

export interface SpooledStorageOptions {
  /** The backend's name in `StorageStatus`. */
  readonly backend: string
  /** The folder of this machine's spools. */
  readonly root: string
  readonly spool: Omit<SpoolOptions, "folder" | "ahead">
  readonly flush: FlushLimits
  /** How long the process may take to stop, in ms. */
  readonly shutdownTimeoutMs?: number
}

const unavailable = (message: string) => new StorageError({ reason: "Unavailable", message })

/** Strictly increasing times, in ms since the epoch with microseconds after the point, which give records an order. */
const makeTimestamps = (clock: Clock.Clock): (() => number) => {
  let last = 0
  return () => {
    last = Math.max(clock.currentTimeMillisUnsafe() * 1_000, last + 1)
    return last / 1_000
  }
}

/** Repeats the work for as long as the scope is open, whether or not it fails. */
const repeatInBackground = (
  interval: typeof REPORT_INTERVAL | typeof ADOPTION_INTERVAL,
  work: Effect.Effect<void, { readonly message: string }>
): Effect.Effect<unknown, never, Scope.Scope> =>
  work.pipe(
    Effect.catch(({ message }) => Effect.logDebug(message)),
    Effect.andThen(Effect.sleep(interval)),
    Effect.forever,
    Effect.forkScoped
  )

const takenOver = ({ folder, id }: Spool, host: string): DestinationError =>
  new DestinationError({
    reason: "Invalid",
    message: `A collector on ${host} has taken over spool ${id}, of which ${folder} is a copy, because this one did not report for ${GONE_AFTER_SECONDS} s. Restart this collector: its spool then gets an id of its own.`
  })

const openOwnSpool = Effect.fnUntraced(function* ({ root, spool: options }: SpooledStorageOptions) {
  const spool = yield* Effect.mapError(
    claimSpool(root, options),
    ({ diskFull, message }) =>
      new StartError({ message: `${message} SPOOL_DIR is the folder of the spools.`, outside: diskFull === true })
  )
  if (spool.cut > 0) {
    yield* Effect.logWarning(
      `The spool in ${spool.folder} ended with ${spool.cut} bytes of an incomplete write, which no client got an answer for. They are ignored.`
    )
  }
  return spool
})

/** When the scope closes: flushes what is left and reports that this collector has stopped. */
const flushOnExit = (
  sql: SqlClient.SqlClient,
  spool: Spool,
  { backlog }: Flusher,
  flush: Effect.Effect<void, DestinationError>,
  { timeoutMs, token }: { readonly timeoutMs: number; readonly token: string }
): Effect.Effect<void, never, Scope.Scope> =>
  Effect.addFinalizer(() =>
    flush.pipe(
      Effect.timeoutOrElse({
        duration: timeoutMs,
        orElse: () => Effect.fail({ message: `It took more than ${timeoutMs / 1_000} s.` })
      }),
      Effect.catch(({ message }) =>
        Effect.logWarning(
          `The last flush failed: ${message} ${backlog()} bytes of accepted events are on the disk in ${spool.folder}, and the next start flushes them.`
        )
      ),
      Effect.andThen(
        Effect.suspend(() => reportStopped(sql, spool.id, backlog(), token)).pipe(
          Effect.timeout(LAST_REPORT_TIMEOUT),
          Effect.ignore
        )
      )
    )
  )

/**
 * A storage that answers when a record is on this machine's disk and forwards it to the destination from there, exactly once,
 * whatever crashes in between. Records accepted while the destination is unreachable stay in the spool; when the spool is full,
 * records are refused as `Overloaded`. Also flushes the spools under the same root whose collectors are gone.
 *
 * Saving one record twice stores it twice: the pipeline gives each event its own id, once.
 */
export const spooledStorage = Effect.fnUntraced(function* (
  openDestination: Effect.Effect<Destination, never, Scope.Scope>,
  codec: RecordCodec,
  sql: SqlClient.SqlClient,
  options: SpooledStorageOptions
): Effect.fn.Return<Storage["Service"], StartError, Scope.Scope> {
  const spool = yield* openOwnSpool(options)
  // After the spool, so that nothing reads the spool any more when the scope releases its lock.
  const destination = yield* openDestination
  yield* Effect.forkScoped(Effect.ignore(destination.prepare))
  const openFlush = makeFlushSpool(destination, options.spool.files ?? folderFiles)
  const own = (opened: Spool) => ownSpool(sql, opened, options.spool.files ?? folderFiles, openFlush)
  const owned = yield* own(spool)
  let displacement: DestinationError | null = null
  const flusher = yield* makeFlusher(
    spool,
    options.flush,
    (upTo) => Effect.suspend(() => (displacement === null ? owned.flush(upTo) : Effect.fail(displacement))),
    makeForwardMetrics(destination.name)
  )
  const flush = Effect.andThen(
    // A failure there was answered to the caller that saved the record.
    Effect.ignore(spool.settled),
    Effect.suspend(() => flusher.flush(spool.acknowledged()))
  )
  const state = (): Report => ({
    spoolId: spool.id,
    host: hostname(),
    folder: spool.folder,
    backlogBytes: flusher.backlog(),
    lastSuccessAt: flusher.lastSuccessAt(),
    failure: flusher.failure()?.message ?? null
  })
  yield* repeatInBackground(
    REPORT_INTERVAL,
    Effect.gen(function* () {
      const owner = yield* owned.owner
      const host = yield* displacedBy(sql, spool.id, owner)
      displacement = host === null ? null : takenOver(spool, host)
      if (displacement !== null) return yield* displacement
      if (!(yield* report(sql, { ...state(), owner }))) return
      yield* flush
      yield* reportFlushed(sql, state())
    })
  )
  yield* repeatInBackground(
    ADOPTION_INTERVAL,
    Effect.flatMap(listSpools(options.root), (folders) =>
      Effect.forEach(
        folders.filter((folder) => folder !== spool.folder),
        (folder) =>
          Effect.flatMap(
            adoptSpool(folder, options.spool, (opened) => Effect.map(own(opened), ({ flush }) => flush)),
            (id) => (id === null ? Effect.void : reportStopped(sql, id, 0))
          ),
        { discard: true }
      )
    )
  )
  const lastFlushMs = Math.min(
    LAST_FLUSH_TIMEOUT_MS,
    (options.shutdownTimeoutMs ?? Number.POSITIVE_INFINITY) * LAST_FLUSH_PART
  )
  yield* flushOnExit(sql, spool, flusher, flush, { timeoutMs: lastFlushMs, token: owned.token })
  return makeStorage(options.backend, spool, flusher, flush, codec, makeTimestamps(yield* Clock.Clock))
})

const makeStorage = (
  backend: string,
  spool: Spool,
  { backlog, failure, note }: Flusher,
  flush: Effect.Effect<void, DestinationError>,
  codec: RecordCodec,
  timestamp: () => number
): Storage["Service"] => {
  const storedSessions = new StoredSessions()
  let refused: { readonly at: number; readonly message: string } | null = null
  return {
    saveEvent: (record) =>
      suspendDirect(() => {
        if (record.name !== null && record.name.length > SIZE.eventName) {
          const error = new StorageError({
            reason: "Refused",
            message: `The record can't be stored: a string is too long (an event name has at most ${SIZE.eventName} characters).`
          })
          refused = { at: Math.floor(timestamp()), message: error.message }
          return Effect.fail(error)
        }
        note(record.siteId)
        const session = record.session
        const now = timestamp()
        if (session === null || storedSessions.has(session.id, session.createdAt, now)) {
          return spool.append(codec.encodeEvent(record, null, now))
        }
        // Records after this one omit the session. When this one fails, they fail too: the spool is written in order.
        storedSessions.add(session.id, session.createdAt, now)
        return onFailureDirect(spool.append(codec.encodeEvent(record, session, now)), () =>
          storedSessions.remove(session.id)
        )
      }),
    saveIdentity: (record) =>
      suspendDirect(() => {
        note(record.session.siteId)
        return spool.append(codec.encodeIdentity(record, timestamp()))
      }),
    flush: Effect.mapError(flush, ({ message }) => unavailable(message)),
    ping: Effect.suspend(() => {
      const { lastError, ready } = spool.status()
      return ready ? Effect.void : Effect.fail(unavailable(lastError ?? "The spool is full."))
    }),
    status: Effect.sync(() => {
      const { diskBytes: _, ...status } = spool.status()
      const last = [
        { at: status.lastErrorAt, message: status.lastError },
        failure() ?? { at: null, message: null },
        refused ?? { at: null, message: null }
      ].reduce((latest, error) => ((error.at ?? 0) > (latest.at ?? 0) ? error : latest))
      return {
        backend,
        ...status,
        lastErrorAt: last.at,
        lastError: last.message,
        spooled: { bytes: backlog(), folder: spool.folder }
      }
    })
  }
}
