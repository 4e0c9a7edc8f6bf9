import { Clock, Effect } from "effect"
import type { Spool, SpoolOptions } from "../spool/Spool.ts"
import { toSpoolError } from "../spool/SpoolError.ts"
import type { Damage } from "../spool/scan.ts"
import { readSmallFile, replaceFile } from "../spool/smallFiles.ts"
import { type Destination, DestinationError, type SpoolRolledBack, type Written } from "./Destination.ts"
import { clearOpenings, noteOpenings, withOpening } from "./openingJournal.ts"

/** The file in a spool's folder with the destination's newest receipt. */
const RECEIPT_FILE = "receipt"
/** Removes what is known about a spool's former id at the destination. */
export const forgetDestination = async (files: ReturnType<NonNullable<SpoolOptions["files"]>>): Promise<void> => {
  await files.remove(RECEIPT_FILE)
  await clearOpenings(files)
}

/** How long the disk may take to note that a spool was opened. */
const NOTE_TIMEOUT = "10 seconds"

/** Writes a spool's records up to a position to the destination. Calls must not overlap. */
export type FlushSpool = (upTo: number) => Effect.Effect<Written, DestinationError>

/** The parts of a spool that flushing it needs. */
export type FlushableSpool = Pick<Spool, "folder" | "id" | "oldest" | "accepted">

/** Keeps the messages about a spool until they can be logged; one that was logged before is dropped. */
class SpoolReport {
  #messages: Array<string> = []
  readonly #reported: Set<string>
  readonly #spoolId: string

  constructor(spoolId: string, reported: Set<string>) {
    this.#spoolId = spoolId
    this.#reported = reported
  }

  add(problem: string, message: string): void {
    const key = `${this.#spoolId} ${problem}`
    if (!this.#reported.has(key)) this.#messages.push(message)
    this.#reported.add(key)
  }

  readonly log = Effect.suspend(() => {
    const messages = this.#messages
    this.#messages = []
    return Effect.forEach(messages, (message) => Effect.logError(message), { discard: true })
  })
}

const damageMessage = (folder: string, { from, to }: Damage): string =>
  `The spool in ${folder} is damaged from ${from} to ${to}: the records there are lost. Check the disk. The other records are flushed.`

const rolledBackMessage = (folder: string, name: string, { end, watermark }: SpoolRolledBack): string =>
  `The spool in ${folder} ends at ${end} but the ${name} is at ${watermark}: it was restored from an older copy or lost files. Unflushed events after that copy are lost; new events are flushed normally.`

/** Notes this opening in the spool's folder. Returns it and the earlier ones that were not compared with the destination. */
const noteOpening = Effect.fnUntraced(function* (
  files: ReturnType<NonNullable<SpoolOptions["files"]>>,
  { accepted, folder }: FlushableSpool
) {
  const attempt = <A>(work: () => Promise<A>) =>
    Effect.tryPromise({ try: work, catch: (error) => toSpoolError(folder, error) })
  // Not the durable position: what the previous owner wrote last may have to be written again before it is durable.
  const opening = { position: accepted(), at: yield* Clock.currentTimeMillis }
  return yield* attempt(() => withOpening(files, opening)).pipe(
    Effect.tap((openings) => attempt(() => noteOpenings(files, openings))),
    Effect.timeoutOrElse({
      duration: NOTE_TIMEOUT,
      orElse: () => Effect.fail(toSpoolError(folder, new Error(`the disk did not answer within ${NOTE_TIMEOUT}`)))
    }),
    // The note matters only if the folder is an older copy and the process ends before it reaches the destination.
    Effect.catch(({ message }) => Effect.as(Effect.logWarning(message), [opening]))
  )
})

/**
 * Prepares flushing of spools to a destination. Call the returned function for each spool that was opened, before anything is
 * appended to it. Logs each damaged part and each rollback of a spool once, even if the flush that met it fails.
 */
export const makeFlushSpool = (destination: Destination, filesOf: NonNullable<SpoolOptions["files"]>) => {
  const reported = new Set<string>()

  return Effect.fnUntraced(function* (spool: FlushableSpool): Effect.fn.Return<FlushSpool> {
    const { folder, id, oldest } = spool
    const files = filesOf(folder)
    const report = new SpoolReport(id, reported)
    const openings = yield* noteOpening(files, spool)
    let isReconciled = false
    let receipt: string | null = null

    const readReceipt = Effect.tryPromise({
      try: () => readSmallFile(files, RECEIPT_FILE),
      catch: (error) => new DestinationError({ reason: "Unavailable", message: toSpoolError(folder, error).message })
    })
    /** Before the spool is trimmed. On a full disk, trimming matters more than the receipt, so a failure is ignored. */
    const keepReceipt = (written: Written) => {
      const next = written.receipt
      if (next === undefined || next === receipt) return Effect.void
      return Effect.tryPromise(() => replaceFile(files, RECEIPT_FILE, next)).pipe(
        Effect.tap(() =>
          Effect.sync(() => {
            receipt = next
          })
        ),
        Effect.timeout(NOTE_TIMEOUT),
        Effect.ignore
      )
    }

    const reconcile = Effect.gen(function* () {
      receipt = yield* readReceipt
      yield* destination.reconcile({ id, openings, receipt }, (rolledBack) =>
        report.add(`rolled back ${rolledBack.end}`, rolledBackMessage(folder, destination.name, rolledBack))
      )
      yield* Effect.tryPromise({
        try: () => clearOpenings(files),
        catch: (error) => new DestinationError({ reason: "Unavailable", message: toSpoolError(folder, error).message })
      })
      isReconciled = true
    })

    return (upTo) =>
      Effect.suspend(() => (isReconciled ? Effect.void : reconcile)).pipe(
        Effect.andThen(
          Effect.suspend(() =>
            destination.write({ spool: { id, folder, oldest }, upTo }, (damage) =>
              report.add(`damage ${damage.from}`, damageMessage(folder, damage))
            )
          )
        ),
        Effect.tap(keepReceipt),
        Effect.ensuring(report.log)
      )
  })
}
