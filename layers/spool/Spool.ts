import { join } from "node:path"
import { Clock, Effect, type Scope } from "effect"
import type { StorageError } from "../../src/domain/StorageError.ts"
import { callbackEffect } from "../../src/lib/callbackEffect.ts"
import { Backlog } from "../inprocess/Backlog.ts"
import { tryLock } from "../inprocess/FileLock.ts"
import { fenced } from "./fenced.ts"
import { FRAME_HEAD, MAX_RECORD } from "./frames.ts"
import { GroupWriter } from "./GroupWriter.ts"
import { makeFolder } from "./makeFolder.ts"
import { type Recovered, recover } from "./recover.ts"
import { makeRefusals } from "./refusals.ts"
import { Segments } from "./Segments.ts"
import { SpoolError, toSpoolError } from "./SpoolError.ts"
import { folderFiles, type SpoolFiles } from "./SpoolFiles.ts"
import { ID_FILE, LOCK_FILE } from "./segmentNames.ts"
import { replaceFile } from "./smallFiles.ts"
import { Trimmer } from "./Trimmer.ts"

/** Large enough that a busy collector takes one in a few seconds, small enough to be trimmed soon. */
export const SEGMENT_BYTES = 64 << 20
/** Largest group of records, in bytes. A group is also at most a quarter of a segment. */
const GROUP_BYTES = 16 << 20
/** How late a record may be answered after its deadline, in ms. */
const SWEEP_MS = 100
/** Pause between the steps of preparing a segment: it is ready in two seconds and leaves the disk to records meanwhile. */
const PREPARING_PAUSE = "20 millis"
/** How long opening a spool may take: it reads one segment and writes a few small files. */
const OPEN_TIMEOUT = "60 seconds"
/** How often a failed disk is retried and unfinished trims are repeated. */
const RETRY = "1 second"

export interface SpoolOptions {
  readonly folder: string
  /** Records that may wait for the disk. */
  readonly maxPending: number
  /** Disk space that the spool may take, in bytes; at least two segments. */
  readonly maxBytes: number
  /** How long a record may wait for the disk, in ms. */
  readonly timeoutMs: number
  readonly segmentBytes?: number
  /** Whether the next segment is prepared before it is needed; true by default. An owner that only flushes does not need it. */
  readonly ahead?: boolean
  /** How the spool accesses a folder; by default directly. */
  readonly files?: (folder: string) => SpoolFiles
}

export interface SpoolStatus {
  /** Whether a record would be accepted now. */
  readonly ready: boolean
  readonly pendingRecords: number
  readonly pendingBytes: number
  /** Groups being written: 1 or 0. */
  readonly inFlight: number
  /** Disk space that the spool takes, in bytes. */
  readonly diskBytes: number
  /** Ms since the epoch; null if there was none yet. */
  readonly lastSuccessAt: number | null
  readonly lastErrorAt: number | null
  readonly lastError: string | null
}

/**
 * A write-ahead log of records in a folder, in the order of acceptance. A position is a number of bytes since the spool was created
 * and only grows. Readers get the records from the files (`readRecords`); the owner trims what is no longer needed.
 *
 * ```
 *   0 ...... trimmed ........ durable ...... accepted
 *   └ removed ─┘└── readable ──┘└ being written ─┘
 * ```
 */
export interface Spool {
  /** A UUID, for as long as the folder exists, unless `renew` replaces it. */
  readonly id: string
  /** Gives the spool a new id, and returns it. Positions stay. */
  readonly renew: Effect.Effect<string, SpoolError>
  readonly folder: string
  /**
   * Bytes of an incomplete write at the end of what the previous owner left. No client got an answer for it. Damage of the last
   * record looks the same.
   */
  readonly cut: number
  /** Up to here the spool was trimmed when it was opened. */
  readonly oldest: number
  /**
   * Resumes when the record is on the disk (fdatasync). Fails with `Overloaded` if too many records wait or the spool is full; with
   * `Unavailable` if the disk failed or took too long, in which case the record may be stored nevertheless; and with `Refused` if the
   * record is empty or too long.
   */
  readonly append: (record: string) => Effect.Effect<void, StorageError>
  /** Resumes when every accepted record is answered. */
  readonly settled: Effect.Effect<void, StorageError>
  /** Where the last accepted record ends. */
  readonly accepted: () => number
  /** Everything up to here is on the disk. */
  readonly durable: () => number
  /**
   * Where the last acknowledged record ends. Exceeds `durable` while what the previous owner wrote last, which is in its old segment,
   * cannot be written again, as on a full disk.
   */
  readonly acknowledged: () => number
  /** Why the disk does not take records, such as "the disk is full"; null while it does. */
  readonly problem: () => string | null
  /**
   * Releases everything up to the position for good. A segment's file is removed once all of it is trimmed. Fails if the disk fails or
   * does not answer within the time that a record may wait; the trim is repeated in the background then.
   */
  readonly trim: (upTo: number) => Effect.Effect<void, SpoolError>
  readonly status: () => SpoolStatus
}

/** Locks the spool in a folder for this process until the scope closes. */
const lockFolder = (folder: string): Effect.Effect<unknown, SpoolError, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.suspend(() => {
      try {
        const lock = tryLock(join(folder, LOCK_FILE), "exclusive")
        return lock === undefined
          ? Effect.fail(new SpoolError({ reason: "Locked", message: `Another process uses the spool in ${folder}.` }))
          : Effect.succeed(lock)
      } catch (error) {
        return Effect.fail(toSpoolError(folder, error))
      }
    }),
    (lock) => Effect.sync(() => lock.release())
  )

/** The folder's files, until the scope closes. */
const openFiles = (options: SpoolOptions): Effect.Effect<SpoolFiles, never, Scope.Scope> =>
  Effect.gen(function* () {
    let isOver = false
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        isOver = true
      })
    )
    return fenced((options.files ?? folderFiles)(options.folder), () => isOver)
  })

/** Repeats the work until the scope closes. */
const every = (interval: typeof RETRY | typeof SWEEP_MS, work: Effect.Effect<void>) =>
  Effect.sleep(interval).pipe(Effect.andThen(work), Effect.forever, Effect.forkScoped)

interface Parts {
  readonly backlog: Backlog
  readonly segments: Segments
  readonly writer: GroupWriter
  readonly trimmer: Trimmer
}

const makeParts = Effect.fnUntraced(function* (
  { ahead = true, folder, maxBytes, maxPending, segmentBytes = SEGMENT_BYTES, timeoutMs }: SpoolOptions,
  files: SpoolFiles,
  recovered: Recovered
): Effect.fn.Return<Parts> {
  const clock = yield* Clock.Clock
  const context = yield* Effect.context<never>()
  const runPromise = Effect.runPromiseWith(context)
  const groupBytes = Math.min(GROUP_BYTES, segmentBytes >> 2)
  const maxRecordBytes = Math.min(MAX_RECORD, groupBytes - FRAME_HEAD)
  const backlog = new Backlog(maxPending, groupBytes * 2)
  const segments = new Segments(files, recovered.starts, {
    segmentBytes,
    maxBytes,
    ahead,
    sleep: () => runPromise(Effect.sleep(PREPARING_PAUSE)),
    accepted: () => writer.accepted
  })
  const writer = new GroupWriter(segments, backlog, {
    groupBytes,
    maxRecordBytes,
    timeoutMs,
    end: recovered.end,
    last: recovered.last,
    trimmed: recovered.trimmed,
    refusals: makeRefusals({ folder, maxBytes, maxRecordBytes, timeoutMs }),
    clock: {
      monotonic: () => Number(clock.monotonicTimeNanosUnsafe()) / 1e6,
      now: () => clock.currentTimeMillisUnsafe()
    },
    context
  })
  return { backlog, segments, writer, trimmer: new Trimmer(files, segments, writer, recovered.trimmed) }
})

/** Retries failed writes and trims, and answers records past their deadline, until the scope closes. */
const runInBackground = Effect.fnUntraced(function* ({ trimmer, writer }: Parts) {
  yield* every(
    RETRY,
    Effect.promise(() => writer.retry())
  )
  yield* every(
    RETRY,
    Effect.suspend(() => (writer.isClosed ? Effect.void : Effect.promise(() => trimmer.retry())))
  )
  yield* every(
    SWEEP_MS,
    Effect.sync(() => writer.sweep())
  )
})

/** When the scope closes, writes what was accepted. What the disk does not store in time is answered as failed. */
const closeOnExit = (
  { backlog, segments, trimmer, writer }: Parts,
  timeoutMs: number
): Effect.Effect<void, never, Scope.Scope> =>
  Effect.addFinalizer(() =>
    Effect.gen(function* () {
      writer.close()
      yield* Effect.ignore(backlog.flush)
      // What is in progress ends before the next owner begins.
      yield* Effect.promise(() => Promise.all([writer.idle, trimmer.idle]))
      segments.finish()
      segments.closeActive()
      yield* Effect.promise(() => segments.discardPrepared())
    }).pipe(
      // A finalizer waits for what it cannot interrupt, and a disk may hang forever.
      Effect.timeoutOption(timeoutMs),
      Effect.interruptible,
      Effect.andThen(
        Effect.sync(() => {
          segments.finish()
          writer.abandon()
          // The file is closed once the disk is done with it, however late that is.
          void writer.idle.then(() => segments.closeActive())
          void segments.discardPrepared()
        })
      )
    )
  )

/**
 * Opens the spool of a folder, which is created when missing. After a failure of the disk it continues by itself in a new segment.
 * When the scope closes, everything accepted is on the disk or answered.
 */
export const openSpool = Effect.fnUntraced(function* (
  options: SpoolOptions
): Effect.fn.Return<Spool, SpoolError, Scope.Scope> {
  const { folder, timeoutMs } = options
  const attempt = <A>(work: () => Promise<A>) =>
    Effect.tryPromise({ try: work, catch: (error) => toSpoolError(folder, error) })

  yield* attempt(() => makeFolder(folder))
  yield* lockFolder(folder)
  const files = yield* openFiles(options)
  const recovered = yield* attempt(() => recover(files)).pipe(
    Effect.timeoutOrElse({
      duration: OPEN_TIMEOUT,
      orElse: () => Effect.fail(toSpoolError(folder, new Error(`the disk did not answer within ${OPEN_TIMEOUT}`)))
    })
  )
  const parts = yield* makeParts(options, files, recovered)
  const { backlog, segments, trimmer, writer } = parts
  segments.prepareAhead()
  writer.writeGathered()
  // The caller gets the spool with the previous owner's last records on the disk; if the disk is slow, they get there later.
  yield* Effect.promise(() => writer.idle).pipe(Effect.timeoutOption(timeoutMs))
  yield* runInBackground(parts)
  yield* closeOnExit(parts, timeoutMs)

  let id = recovered.id
  return {
    get id() {
      return id
    },
    renew: attempt(async () => {
      const renewed = crypto.randomUUID()
      await replaceFile(files, ID_FILE, `${renewed}\n`)
      id = renewed
      return id
    }),
    folder,
    cut: recovered.cut,
    oldest: recovered.trimmed,
    append: (record) => callbackEffect((resume) => writer.append(record, resume)),
    settled: backlog.flush,
    accepted: () => writer.accepted,
    durable: () => writer.durable,
    acknowledged: () => writer.acknowledged,
    problem: () => writer.failure,
    trim: (upTo) =>
      attempt(() => trimmer.trim(upTo)).pipe(
        Effect.timeoutOrElse({
          duration: timeoutMs,
          orElse: () => Effect.fail(toSpoolError(folder, new Error("the disk did not answer in time")))
        })
      ),
    status: () => ({
      ready: writer.isReady,
      pendingRecords: backlog.records,
      pendingBytes: backlog.bytes,
      inFlight: writer.inFlight,
      diskBytes: segments.diskBytes,
      lastSuccessAt: writer.lastSuccessAt,
      lastErrorAt: writer.lastError?.at ?? null,
      lastError: writer.lastError?.message ?? null
    })
  }
})
