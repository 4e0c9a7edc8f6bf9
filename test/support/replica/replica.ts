import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Exit, Redacted, References, Schedule, Scope } from "effect"
import { type MakeReplicaOptions, makeReplica, type RunningReplica } from "../../../layers/replica/Replica.ts"
import type { QueryResult } from "../../../src/ports/QueryEngine.ts"
import { guardFolder } from "../process/guard.ts"

const ENTRY = new URL("../../../src/replicaChild.ts", import.meta.url)

/** A folder for a replica, which is deleted after the test. */
export const replicaFolder = (): string => {
  const folder = mkdtempSync(join(tmpdir(), "footfall-replica-"))
  guardFolder(folder)
  return folder
}

export interface TestReplica extends AsyncDisposable, RunningReplica {
  readonly folder: string
  readonly rows: (sql: string) => Promise<QueryResult["rows"]>
  /** Resolves when the replica has everything that was committed before. */
  readonly sync: () => Promise<void>
}

/** A replica of a database, in a process of its own. */
export const startReplica = async (
  url: Redacted.Redacted<string>,
  {
    folder = replicaFolder(),
    keepsFolder = false,
    ...options
  }: Partial<MakeReplicaOptions> & { readonly keepsFolder?: boolean } = {}
): Promise<TestReplica> => {
  const scope = Scope.makeUnsafe()
  const running = await Effect.runPromise(
    makeReplica({
      entry: ENTRY,
      folder,
      databaseUrl: Redacted.value(url),
      memoryLimit: "512MB",
      tempLimit: "1GB",
      threads: 2,
      minFreeBytes: 0,
      deadlineMs: 20_000,
      exportDeadlineMs: 120_000,
      ...options
    }).pipe(Scope.provide(scope), Effect.provideService(References.MinimumLogLevel, "Fatal"))
  )
  return {
    ...running,
    folder,
    rows: (sql) =>
      Effect.runPromise(Effect.map(running.engine.run({ sql, parameters: [], tables: [] }), ({ rows }) => rows)),
    sync: () =>
      Effect.runPromise(Effect.retry(running.replica.sync, { times: 60, schedule: Schedule.spaced("200 millis") })),
    [Symbol.asyncDispose]: async () => {
      await Effect.runPromise(Scope.close(scope, Exit.void))
      if (!keepsFolder) rmSync(folder, { recursive: true, force: true })
    }
  }
}
