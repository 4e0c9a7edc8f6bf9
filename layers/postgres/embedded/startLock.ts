import { dirname } from "node:path"
import { Effect, Schedule, type Scope } from "effect"
import { type StartError, startLater } from "../../../src/domain/StartError.ts"
import { tryLock } from "../../inprocess/FileLock.ts"
import { attempt } from "./fileError.ts"

const POLL_MS = 20

/** Holds the lock under which one process at a time starts or stops the server of a folder, until the scope closes. */
export const holdStartLock = (path: string, timeoutMs: number): Effect.Effect<void, StartError, Scope.Scope> => {
  const isTaken = startLater(
    `Another process has been starting or stopping the Postgres in ${dirname(path)} for ${timeoutMs / 1_000} s. Try again, or set DATABASE_URL.`
  )
  const take = Effect.acquireRelease(
    Effect.filterOrFail(
      attempt(path, () => tryLock(path, "exclusive")),
      (lock) => lock !== undefined,
      () => isTaken
    ),
    (lock) => Effect.sync(() => lock?.release())
  )
  return take.pipe(
    Effect.retry({
      while: (error) => error === isTaken,
      schedule: Schedule.spaced(POLL_MS).pipe(Schedule.upTo({ duration: timeoutMs }))
    }),
    Effect.asVoid
  )
}
