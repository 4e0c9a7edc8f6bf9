import { join } from "node:path"
import { Clock, type Context, Effect, Exit, type Scope } from "effect"
import { StorageError } from "../../src/domain/StorageError.ts"
import { callbackEffect } from "../../src/lib/callbackEffect.ts"
import { errorCode } from "../../src/lib/errorCode.ts"
import { Backlog } from "../inprocess/Backlog.ts"
import { tryLock } from "../inprocess/FileLock.ts"
import { FRAME_HEAD, MAX_RECORD, sealFrame } from "./frames.ts"
import { makeFolder } from "./makeFolder.ts"
import { appendedBytes, appendedRecords, failedSyncs, syncSeconds } from "./metrics.ts"
import { prepareSegment, writeAll } from "./prepare.ts"
import { recover, replaceFile } from "./recover.ts"
import { SpoolError } from "./SpoolError.ts"
import { folderFiles, type SpoolFile, type SpoolFiles } from "./SpoolFiles.ts"
import { LOCK_FILE, PREPARED, segmentName, TRIMMED_FILE } from "./segments.ts"
import { untilOver } from "./untilOver.ts"

/** Large enough that a busy collector takes one in a few seconds, small enough to be given up soon. */
export const SEGMENT_BYTES = 64 << 20
/** Bytes that wait for the disk; a group is never larger, and fills no more than a quarter of a segment. */
const GROUP_BYTES = 16 << 20
const FIRST_GROUP_BYTES = 64 << 10
/** A log without room for this much is not ready: most events take half a kilobyte, three times that before it is known. */
const COMMON_RECORD = 4 << 10
/** UTF-16 units take at most this many bytes in UTF-8. */
const MOST_BYTES_PER_UNIT = 3
/** How late a waiter may be answered after its deadline, in ms. */
const SWEEP_MS = 100
/** Between the steps in which the next file is prepared, so that it is ready in two seconds. Not for who fills one sooner. */
const PREPARING_PAUSE = "20 millis"
/** How long opening a log may take: a segment is read, and a few small files are written. */
const OPEN_TIMEOUT = "60 seconds"
/** How often a disk that refused is tried again, and looked whether there are files to be removed. */
const RETRY = "1 second"

export interface SpoolOptions {
  readonly folder: string
  /** Records that may wait for the disk. */
  readonly maxPending: number
  /** Room that the log may take on the disk, in bytes; at least two segments. */
  readonly maxBytes: number
  /** How long a record may wait for the disk, in ms. */
  readonly timeoutMs: number
  readonly segmentBytes?: number
  /** Whether a file is prepared before it is needed; by default so. For an owner that only brings in what is there, it need not. */
  readonly ahead?: boolean
  /** What stands between the log and a folder; by default nothing. */
  readonly files?: (folder: string) => SpoolFiles
}

export interface SpoolStatus {
  /** Whether a record given now would be taken. */
  readonly ready: boolean
  readonly pendingRecords: number
  readonly pendingBytes: number
  /** Groups being written: 1 or 0. */
  readonly inFlight: number
  /** Room that the log takes on the disk, in bytes. */
  readonly diskBytes: number
  /** Ms since the epoch; null when there was none yet. */
  readonly lastSuccessAt: number | null
  readonly lastErrorAt: number | null
  readonly lastError: string | null
}

/**
 * A log of records on the disk, in the order in which they came. Positions are bytes since the log began and never go back.
 * Records are read back from the files (`readRecords`), by whoever brings them to where they belong; the log gives up what
 * is there.
 */
export interface Spool {
  /** A UUID that the log keeps as long as its folder is there. */
  readonly id: string
  readonly folder: string
  /**
   * Bytes at the end of what an earlier owner left that are no record: of a write that was cut off, which nobody was told of.
   * Damage of the last record can't be told from it.
   */
  readonly cut: number
  /** Where the log was given up when it was opened. */
  readonly oldest: number
  /**
   * Resumes when the record is on the disk (fdatasync). `Overloaded`: too much waits, or the log is as large as it may be;
   * `Unavailable`: the disk refused, or took too long, and the record may be there all the same; `Refused`: it is empty or too
   * long.
   */
  readonly append: (record: string) => Effect.Effect<void, StorageError>
  /** Resumes when all that was accepted is answered. */
  readonly settled: Effect.Effect<void, StorageError>
  /** Where the last record that was accepted ends. */
  readonly accepted: () => number
  /** Up to here, everything is on the disk. */
  readonly durable: () => number
  /**
   * Gives up everything up to a position, for ever; files go as soon as all of them is. What the disk does not let happen, or not
   * within the time that a record may take, fails and is tried again by itself.
   */
  readonly trim: (upTo: number) => Effect.Effect<void, SpoolError>
  readonly status: () => SpoolStatus
}

interface Entry {
  readonly bytes: number
  readonly number: number
  /** On the monotonic clock, in ms. */
  readonly deadline: number
  readonly resume: (exit: Exit.Exit<void, StorageError>) => void
  answered: boolean
}

/** Frames that are written and synced together. */
interface Group {
  buffer: Buffer<ArrayBuffer>
  length: number
  /** Where it begins. */
  start: number
  entries: Array<Entry>
}

const unavailable = (message: string) => new StorageError({ reason: "Unavailable", message })

const whyOf = (error: unknown): string => {
  const code = errorCode(error)
  if (code === "ENOSPC" || code === "EDQUOT") return "the disk is full"
  return code !== "" ? code : error instanceof Error ? error.message : String(error)
}

/** The failure of a folder, in words. */
export const spoolFailure = (folder: string, error: unknown): SpoolError =>
  error instanceof SpoolError
    ? new SpoolError({ reason: error.reason, message: `${folder} can't be used as a log: ${error.message}.` })
    : new SpoolError({ reason: "Io", message: `The log in ${folder} can't be used: ${whyOf(error)}.` })

/**
 * Opens the log of a folder, which is made when missing. While a group of records is being written and synced, records gather for
 * the next one; nothing waits on purpose. A group that can't be written or synced fails, with all that waits behind it, and is
 * never tried again on the same file: the kernel may have dropped what it could not write. The log goes on in a new file, which
 * begins where the failed group did. A file gets its name with its first group in it, so that no power failure leaves one that
 * hides what stood there before. When the scope closes, what was accepted is on the disk or answered.
 */
export const openSpool = Effect.fnUntraced(function* (
  options: SpoolOptions
): Effect.fn.Return<Spool, SpoolError, Scope.Scope> {
  const { folder } = options
  const segmentBytes = options.segmentBytes ?? SEGMENT_BYTES
  const groupBytes = Math.min(GROUP_BYTES, segmentBytes >> 2)
  /** Bytes of a record. */
  const longest = Math.min(MAX_RECORD, groupBytes - FRAME_HEAD)
  const common = Math.min(COMMON_RECORD, groupBytes >> 2)
  const attempt = <A>(work: () => Promise<A>) =>
    Effect.tryPromise({ try: work, catch: (error) => spoolFailure(folder, error) })

  yield* attempt(() => makeFolder(folder))
  yield* Effect.acquireRelease(
    Effect.suspend(() => {
      try {
        const lock = tryLock(join(folder, LOCK_FILE), "exclusive")
        return lock === undefined
          ? Effect.fail(new SpoolError({ reason: "Locked", message: `Another process uses the log in ${folder}.` }))
          : Effect.succeed(lock)
      } catch (error) {
        return Effect.fail(spoolFailure(folder, error))
      }
    }),
    (lock) => Effect.sync(() => lock.release())
  )
  /** Nothing of this owner may happen to the folder any more. */
  let ended = false
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      ended = true
    })
  )
  const files = untilOver((options.files ?? folderFiles)(folder), () => ended)
  const recovered = yield* attempt(() => recover(files)).pipe(
    Effect.timeoutOrElse({
      duration: OPEN_TIMEOUT,
      orElse: () => Effect.fail(spoolFailure(folder, new Error(`the disk did not answer within ${OPEN_TIMEOUT}`)))
    })
  )
  const clock = yield* Clock.Clock
  const context: Context.Context<never> = yield* Effect.context<never>()
  const runPromise = Effect.runPromiseWith(context)
  const elapsed = () => Number(clock.monotonicTimeNanosUnsafe()) / 1e6
  const now = () => clock.currentTimeMillisUnsafe()
  const backlog = new Backlog(options.maxPending, groupBytes * 2)

  let lately = elapsed()
  let starts: ReadonlyArray<number> = recovered.starts
  let trimmed = recovered.trimmed
  /** What is to be given up. */
  let unwanted = trimmed
  let durable = Math.max(recovered.end, trimmed)
  let accepted = recovered.end
  let active: { readonly file: SpoolFile; readonly start: number } | null = null
  /** There is one at a time: a second one would write zeros into the same file. */
  let prepared: Promise<SpoolFile> | null = null
  /** Whether a group waits for the file that is being prepared. */
  let hurried = false
  let failure: string | null = null
  let closed = false
  /** Nothing is written any more. */
  let finished = false
  let writing: Group | null = null
  /** When it began, on the monotonic clock, in ms. */
  let writingSince = 0
  let lastSuccessAt: number | null = null
  let lastError: { readonly at: number; readonly message: string } | null = null

  /** What an earlier owner wrote last, until it is written again. */
  let inherited: Buffer | null = recovered.last.length === 0 ? null : recovered.last
  const newGroup = (buffer: Group["buffer"]): Group => {
    const group: Group = { buffer, length: 0, start: accepted, entries: [] }
    if (inherited === null) return group
    if (buffer.length < inherited.length) group.buffer = Buffer.allocUnsafeSlow(inherited.length)
    group.length = inherited.copy(group.buffer)
    accepted += inherited.length
    return group
  }
  let gathering = newGroup(Buffer.allocUnsafeSlow(FIRST_GROUP_BYTES))
  /** The buffer of the last group, for the next one. */
  let spare = Buffer.allocUnsafeSlow(FIRST_GROUP_BYTES)
  let scheduled = false
  /** The end of the group that is being written. */
  let written: Promise<void> = Promise.resolve()

  const overloaded = new StorageError({ reason: "Overloaded", message: "Too many records wait for the disk." })
  const full = new StorageError({
    reason: "Overloaded",
    message: `The log has ${options.maxBytes} bytes, as many as SPOOL_MAX_BYTES allows: what it holds is not being taken.`
  })
  const tooLong = new StorageError({
    reason: "Refused",
    message: `The record can't be stored: it is longer than ${longest} bytes.`
  })
  const empty = new StorageError({ reason: "Refused", message: "An empty record can't be stored." })
  const late = unavailable(`The disk did not take the record within ${options.timeoutMs / 1_000} s.`)
  const stopping = unavailable("The collector is stopping.")
  const refusing = () => unavailable(`The log in ${folder} can't be written: ${failure}.`)

  const answer = (entry: Entry, error: StorageError | undefined): void => {
    if (entry.answered) return
    entry.answered = true
    backlog.remove(entry.number, entry.bytes, error)
    entry.resume(error === undefined ? Exit.void : Exit.fail(error))
  }

  const pause = (done: number): Promise<void> => {
    if (finished) return Promise.reject(new Error("the log was closed"))
    // Half of the file in use is room enough for what comes while the other half is prepared.
    const isBehind = active !== null && accepted - active.start > (done * segmentBytes) / 2
    return hurried || isBehind ? Promise.resolve() : runPromise(Effect.sleep(PREPARING_PAUSE))
  }
  const prepare = (): Promise<SpoolFile> => {
    const preparing = prepareSegment(files, segmentBytes, pause)
    prepared = preparing
    // Whoever needs it is told; nobody may. The next one may find more room.
    preparing.catch(() => {
      if (prepared === preparing) prepared = null
    })
    return preparing
  }
  const hasRoomForFile = (): boolean => (starts.length + 1) * segmentBytes <= options.maxBytes
  const prepareAhead = (): void => {
    if ((options.ahead ?? true) && hasRoomForFile()) prepare()
  }
  /** Room on the disk, with a file that waits to be used. */
  const diskBytes = () => (starts.length + (prepared === null ? 0 : 1)) * segmentBytes

  /** Closes the file in use, which takes nothing more. */
  const leave = (): void => {
    active?.file.close().catch(() => {})
    active = null
  }

  /** Goes on in a new file, with these bytes. */
  const rotate = async (start: number, bytes: Uint8Array): Promise<void> => {
    leave()
    // After failures, each of which took a new file.
    if (!hasRoomForFile()) throw new Error("it is as large as SPOOL_MAX_BYTES allows")
    hurried = true
    const file = await (prepared ?? prepare()).finally(() => {
      hurried = false
    })
    try {
      await writeAll(file, bytes, 0)
      await file.sync()
      await files.rename(PREPARED, segmentName(start))
      // One that could not be synced after that is replaced: it begins there too.
      starts = [...starts.filter((other) => other !== start), start]
      await files.syncFolder()
    } catch (error) {
      file.close().catch(() => {})
      throw error
    } finally {
      prepared = null
    }
    active = { file, start }
    prepareAhead()
  }

  const fail = (group: Group, error: unknown): void => {
    failure = whyOf(error)
    if (group.length > 0) failedSyncs.updateUnsafe(1, context)
    lastError = { at: now(), message: refusing().message }
    leave()
    // Nothing of this group counts, so what was to come behind it has no place either.
    const waiting = [...group.entries, ...gathering.entries]
    accepted = group.start
    gathering = newGroup(gathering.buffer)
    for (const entry of waiting) answer(entry, refusing())
  }

  const write = async (group: Group): Promise<void> => {
    const began = elapsed()
    const bytes = group.buffer.subarray(0, group.length)
    try {
      const known = active
      if (known !== null && group.start + group.length <= known.start + segmentBytes) {
        await writeAll(known.file, bytes, group.start - known.start)
        await known.file.sync()
      } else await rotate(group.start, bytes)
    } catch (error) {
      fail(group, error)
      return
    }
    failure = null
    durable = Math.max(durable, group.start + group.length)
    inherited = null
    lastSuccessAt = now()
    syncSeconds.updateUnsafe((elapsed() - began) / 1_000, context)
    appendedRecords.updateUnsafe(group.entries.length, context)
    appendedBytes.updateUnsafe(group.length, context)
    for (const entry of group.entries) answer(entry, undefined)
  }

  /** Begins to write what gathered, be it nothing: a disk that refused shows so whether it takes a new file. */
  const writeNext = (): void => {
    const group = gathering
    writing = group
    writingSince = elapsed()
    gathering = { buffer: spare, length: 0, start: accepted, entries: [] }
    written = write(group).then(() => {
      writing = null
      spare = group.buffer
      writeGathered()
    })
  }

  const writeGathered = (): void => {
    scheduled = false
    if (writing === null && failure === null && gathering.length > 0) writeNext()
  }

  /** Whether the disk is silent for longer than a record may take. */
  const isStalled = (): boolean => writing !== null && lately - writingSince > options.timeoutMs

  /** Makes room for as many bytes in the group that gathers. */
  const ensureRoom = (bytes: number): void => {
    const least = gathering.length + bytes
    if (least <= gathering.buffer.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(gathering.buffer.length * 2, least))
    gathering.buffer.copy(larger, 0, 0, gathering.length)
    gathering.buffer = larger
  }

  /** Whether what goes beyond the file in use finds room for another. */
  const hasDisk = (bytes: number): boolean =>
    (active !== null && accepted + bytes <= active.start + segmentBytes) || hasRoomForFile()

  const append = (record: string): Effect.Effect<void, StorageError> =>
    callbackEffect((resume) => {
      if (closed) return resume(Exit.fail(stopping))
      if (failure !== null) return resume(Exit.fail(refusing()))
      if (isStalled()) return resume(Exit.fail(late))
      if (record.length === 0) return resume(Exit.fail(empty))
      let most = record.length * MOST_BYTES_PER_UNIT + FRAME_HEAD
      if (most > groupBytes) most = Buffer.byteLength(record) + FRAME_HEAD
      if (most > longest + FRAME_HEAD) return resume(Exit.fail(tooLong))
      if (gathering.length + most > groupBytes && gathering.length > 0) return resume(Exit.fail(overloaded))
      if (!backlog.hasRoom(most)) return resume(Exit.fail(overloaded))
      if (!hasDisk(most)) return resume(Exit.fail(full))
      ensureRoom(most)
      const { buffer, length } = gathering
      const size = buffer.write(record, length + FRAME_HEAD)
      sealFrame(buffer, length, size, accepted, length === 0)
      const bytes = FRAME_HEAD + size
      gathering.length += bytes
      accepted += bytes
      gathering.entries.push({
        bytes,
        number: backlog.add(bytes),
        deadline: lately + options.timeoutMs,
        resume,
        answered: false
      })
      if (!scheduled && writing === null) {
        scheduled = true
        setImmediate(writeGathered)
      }
    })

  /** A disk that refused is tried with a new file, until it takes one. */
  const retry = Effect.suspend(() => {
    if (failure === null || writing !== null || closed) return Effect.void
    writeNext()
    return Effect.promise(() => written)
  })

  /** Files of which nothing is wanted any more. The names of files to come begin at `durable` or later. */
  const gone = (): ReadonlyArray<number> =>
    starts.filter((start, index) => {
      // What the last file holds ends where it is written on; what it holds of an earlier owner ends when it is written again.
      const end = starts[index + 1] ?? (active === null && inherited === null ? durable : Number.POSITIVE_INFINITY)
      return start < durable && end <= trimmed
    })
  const giveUp = async (): Promise<void> => {
    if (unwanted > trimmed) {
      const upTo = unwanted
      await replaceFile(files, TRIMMED_FILE, String(upTo))
      trimmed = upTo
    }
    for (const start of gone()) {
      await files.remove(segmentName(start))
      starts = starts.filter((other) => other !== start)
    }
  }
  /** The end of the last one that was asked for; they come one after the other. */
  let givenUp: Promise<void> = Promise.resolve()
  let givingUp = 0
  const giveUpNext = (): Promise<void> => {
    givingUp++
    const next = givenUp.then(giveUp).finally(() => {
      givingUp--
    })
    givenUp = next.catch(() => {})
    return next
  }
  /** What could not be given up. Whoever asked was told of the failure. */
  const giveUpAgain = Effect.suspend(() => {
    if (givingUp > 0 || closed || (unwanted <= trimmed && gone().length === 0)) return Effect.void
    return Effect.promise(() => giveUpNext().catch(() => {}))
  })

  prepareAhead()
  writeGathered()
  // Whoever opens the log finds it as it was left; on a disk that does not let it, later.
  yield* Effect.promise(() => written).pipe(Effect.timeoutOption(options.timeoutMs))
  yield* Effect.sleep(RETRY).pipe(Effect.andThen(retry), Effect.forever, Effect.forkScoped)
  yield* Effect.sleep(RETRY).pipe(Effect.andThen(giveUpAgain), Effect.forever, Effect.forkScoped)
  const unanswered = (): ReadonlyArray<Entry> =>
    [writing, gathering].flatMap((group) => group?.entries.filter(({ answered }) => !answered) ?? [])
  yield* Effect.sleep(SWEEP_MS).pipe(
    Effect.andThen(
      Effect.sync(() => {
        lately = elapsed()
        for (const entry of unanswered()) {
          if (entry.deadline > lately) continue
          lastError = { at: now(), message: late.message }
          answer(entry, late)
        }
      })
    ),
    Effect.forever,
    Effect.forkScoped
  )
  /** Does away with the file that waits to be used. */
  const dismiss = (waiting: Promise<SpoolFile>): Promise<void> => {
    prepared = null
    return waiting
      .then((file) => file.close())
      .then(() => files.remove(PREPARED))
      .catch(() => {})
  }
  yield* Effect.addFinalizer(() =>
    Effect.gen(function* () {
      closed = true
      yield* Effect.ignore(backlog.flush)
      // What is under way ends before the next owner begins.
      yield* Effect.promise(() => Promise.all([written, givenUp]))
      finished = true
      leave()
      yield* Effect.promise(() => (prepared === null ? Promise.resolve() : dismiss(prepared)))
    }).pipe(
      // A finalizer waits for what it can't interrupt, and a disk may hang for ever.
      Effect.timeoutOption(options.timeoutMs),
      Effect.interruptible,
      Effect.andThen(
        Effect.sync(() => {
          finished = true
          for (const entry of unanswered()) answer(entry, stopping)
          // A file is closed when the disk is done with it, be it later.
          void written.then(leave)
          if (prepared !== null) void dismiss(prepared)
        })
      )
    )
  )

  return {
    id: recovered.id,
    folder,
    cut: recovered.cut,
    oldest: recovered.trimmed,
    append,
    settled: backlog.flush,
    accepted: () => accepted,
    durable: () => durable,
    trim: (upTo) =>
      Effect.suspend(() => {
        if (upTo <= trimmed) return Effect.void
        unwanted = Math.max(unwanted, upTo)
        return attempt(giveUpNext).pipe(
          Effect.timeoutOrElse({
            duration: options.timeoutMs,
            orElse: () => Effect.fail(spoolFailure(folder, new Error("the disk did not answer in time")))
          })
        )
      }),
    status: () => ({
      ready:
        failure === null &&
        !closed &&
        !isStalled() &&
        gathering.length + common <= groupBytes &&
        backlog.hasRoom(common) &&
        hasDisk(common),
      pendingRecords: backlog.records,
      pendingBytes: backlog.bytes,
      inFlight: writing === null ? 0 : 1,
      diskBytes: diskBytes(),
      lastSuccessAt,
      lastErrorAt: lastError?.at ?? null,
      lastError: lastError?.message ?? null
    })
  }
})
