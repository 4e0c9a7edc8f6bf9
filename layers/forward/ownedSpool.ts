import { Effect, Semaphore } from "effect"
import type { SqlClient } from "effect/sql"
import { sqlMessage } from "../postgres/client/sqlErrors.ts"
import type { Spool, SpoolOptions } from "../spool/Spool.ts"
import { toSpoolError } from "../spool/SpoolError.ts"
import { readSmallFile, replaceFile } from "../spool/smallFiles.ts"
import { DestinationError } from "./Destination.ts"
import { type FlushableSpool, type FlushSpool, forgetDestination } from "./makeFlushSpool.ts"
import { type ClaimOutcome, claimSpoolOwner } from "./spoolOwner.ts"

/** How long a claim may take, of which up to twenty seconds are spent on finding out whether another owner is alive. */
const CLAIM_TIMEOUT = "40 seconds"
/** The file in a spool's folder with the token of its last owner. */
const OWNER_FILE = "owner"

const unavailable = (message: string) => new DestinationError({ reason: "Unavailable", message })

/** A spool that is flushed only under an id that is this process's. */
export interface OwnedSpool {
  readonly flush: FlushSpool
  /** Resumes with the token once the spool is this process's. Its id may be another one then. */
  readonly owner: Effect.Effect<string, DestinationError>
  readonly token: string
}

/**
 * What another process's copy of the spool contains: everything if this copy was made while that process, or one before it, used the
 * spool; otherwise what was there when it claimed it.
 */
const sharedEnd = (
  taken: Extract<ClaimOutcome, { readonly _tag: "Taken" }>,
  folderToken: string | null,
  { oldest }: Spool,
  end: number
): number => (folderToken !== null && folderToken === taken.token ? end : Math.min(end, Math.max(oldest, taken.begin)))

/**
 * Claims a spool before its first flush. If another process uses a copy of it, the spool gets an id of its own, and what both copies
 * contain is left to the other process.
 */
export const ownSpool = Effect.fnUntraced(function* (
  sql: SqlClient.SqlClient,
  spool: Spool,
  filesOf: NonNullable<SpoolOptions["files"]>,
  openFlush: (spool: FlushableSpool) => Effect.Effect<FlushSpool>
): Effect.fn.Return<OwnedSpool> {
  const { folder } = spool
  const files = filesOf(folder)
  const token = crypto.randomUUID()
  const end = spool.acknowledged()
  const opened = yield* openFlush(spool)
  const attempt = <A>(work: () => Promise<A>) =>
    Effect.tryPromise({ try: work, catch: (error) => unavailable(toSpoolError(folder, error).message) })
  const claim = Effect.suspend(() => claimSpoolOwner(sql, { spoolId: spool.id, token, begin: end, folder })).pipe(
    Effect.mapError((error) => unavailable(`The app database can't be asked who uses the spool: ${sqlMessage(error)}`)),
    Effect.timeoutOrElse({
      duration: CLAIM_TIMEOUT,
      orElse: () =>
        Effect.fail(unavailable(`The app database did not answer who uses the spool within ${CLAIM_TIMEOUT}.`))
    })
  )

  const becomeOwn = Effect.fnUntraced(function* (taken: Extract<ClaimOutcome, { readonly _tag: "Taken" }>) {
    const before = spool.id
    const from = sharedEnd(taken, (yield* attempt(() => readSmallFile(files, OWNER_FILE)))?.trim() ?? null, spool, end)
    // In this order: after a crash in between, the next opening finds the same or the new state, never the old records under a new id.
    yield* Effect.mapError(spool.trim(Math.min(from, spool.durable())), ({ message }) => unavailable(message))
    yield* attempt(() => forgetDestination(files))
    const id = yield* Effect.mapError(spool.renew, ({ message }) => unavailable(message))
    yield* Effect.logError(
      `The spool in ${folder} is a copy: a collector on ${taken.host} uses spool ${before}, too. From now on, this one is spool ${id}. ${from - spool.oldest} bytes that both have are left to the other one. Remove the spool from images and clones of a collector.`
    )
    yield* claim
    return yield* openFlush({ id, folder, oldest: from, accepted: spool.accepted })
  })

  let known: FlushSpool | null = null
  const becomeOwner = Effect.gen(function* () {
    if (known !== null) return known
    const outcome = yield* claim
    const flush = outcome._tag === "Owned" ? opened : yield* becomeOwn(outcome)
    yield* attempt(() => replaceFile(files, OWNER_FILE, `${token}\n`))
    known = flush
    return flush
  })
  // The first flush and the first report come at the same time.
  const owned = Semaphore.withPermits(yield* Semaphore.make(1), 1)(becomeOwner)
  return {
    flush: (upTo) => Effect.flatMap(owned, (flush) => flush(upTo)),
    owner: Effect.as(owned, token),
    token
  }
})
