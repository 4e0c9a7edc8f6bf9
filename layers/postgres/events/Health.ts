import { type Clock, type Context, Effect } from "effect"
import type { SqlClient } from "effect/sql"
import type { StorageError } from "../../../src/domain/StorageError.ts"
import { deadline } from "../../../src/lib/deadline.ts"
import { assertWritable } from "../client/assertWritable.ts"
import { READ_ONLY_CODE, sqlCode, sqlMessage } from "../client/sqlErrors.ts"
import { type Outcome, unavailable } from "./commitBatch.ts"
import { batchRecords, commitSeconds, failedWrites } from "./metrics.ts"

/** The port's limit for `ping`. */
const PING_TIMEOUT = "2 seconds"
/** A failed write counts this much longer than the deadline of the next write, which would show whether it still fails. */
const FAILURE_MARGIN_MS = 1_000

interface Failure {
  /** On the monotonic clock, in ms. */
  readonly since: number
  readonly message: string
}

/** What the outcomes of writes say about the database: metrics, the last success and error, and whether writes fail now. */
export class Health {
  lastSuccessAt: number | null = null
  lastError: { readonly at: number; readonly message: string } | null = null
  /** The last failure that no record caused, until the next success. */
  #failure: Failure | null = null
  readonly #clock: Clock.Clock
  readonly #context: Context.Context<never>
  readonly #failureLastsMs: number

  constructor(clock: Clock.Clock, context: Context.Context<never>, writeTimeoutMs: number) {
    this.#clock = clock
    this.#context = context
    this.#failureLastsMs = writeTimeoutMs + FAILURE_MARGIN_MS
  }

  readonly onOutcome = (outcome: Outcome): void => {
    const now = this.#clock.currentTimeMillisUnsafe()
    if (outcome._tag === "Stored") {
      batchRecords.updateUnsafe(outcome.records, this.#context)
      commitSeconds.updateUnsafe(outcome.seconds, this.#context)
      this.lastSuccessAt = now
      this.#failure = null
      return
    }
    failedWrites.updateUnsafe(1, this.#context)
    this.lastError = { at: now, message: outcome.message }
    if (!outcome.causedByRecord) this.#failure = { since: this.#elapsed(), message: outcome.message }
  }

  /** Whether the last write succeeded. */
  get isHealthy(): boolean {
    return this.#failure === null
  }

  /**
   * Fails while the database does not answer, is read-only, or cannot store. A server that answers may still be unable to store,
   * such as with a full disk, and only writes show that. If none was attempted for a while, the failure no longer counts:
   * otherwise a load balancer that relies on `ping` would never send the writes that show whether it is over.
   */
  ping(sql: SqlClient.SqlClient): Effect.Effect<void, StorageError> {
    return Effect.andThen(
      pingServer(sql),
      Effect.suspend(() => {
        const failure = this.#failure
        if (failure !== null && this.#elapsed() - failure.since < this.#failureLastsMs) {
          return Effect.fail(unavailable(failure.message))
        }
        this.#failure = null
        return Effect.void
      })
    )
  }

  #elapsed(): number {
    return Number(this.#clock.monotonicTimeNanosUnsafe() / 1_000_000n)
  }
}

const READ_ONLY = "The database is read-only."
const pingServer = (sql: SqlClient.SqlClient): Effect.Effect<void, StorageError> =>
  assertWritable(sql).pipe(
    Effect.mapError((error) => unavailable(sqlCode(error) === READ_ONLY_CODE ? READ_ONLY : sqlMessage(error))),
    deadline({
      duration: PING_TIMEOUT,
      orElse: () => Effect.fail(unavailable(`The database does not answer within ${PING_TIMEOUT}.`))
    })
  )
