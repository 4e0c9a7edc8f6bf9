import { Context, Effect, Exit, Layer, type Redacted, Scope } from "effect"
import { QueryEngine } from "../../../src/ports/QueryEngine.ts"
import { pgWarehouse } from "../postgres/pgWarehouse.ts"
import { freshDatabase } from "../postgres/postgres.ts"
import { startReplica } from "../replica/replica.ts"
import { fillWithEvents } from "./events.ts"

export interface FixtureEngines extends AsyncDisposable {
  /** `postgres` and `replica`. */
  readonly get: (name: string) => QueryEngine["Service"]
}

/** A new database with the questions' fixture, in Postgres and in a replica of it. `addMore` runs before the replica is made. */
export const openFixtureEngines = async (
  addMore: (url: Redacted.Redacted<string>) => Promise<unknown> = async () => {}
): Promise<FixtureEngines> => {
  const scope = Scope.makeUnsafe()
  const url = await freshDatabase()
  await fillWithEvents(url)
  await addMore(url)
  const built = await Effect.runPromise(Scope.provide(Layer.build(pgWarehouse(url)), scope))
  const replica = await startReplica(url)
  await replica.sync()
  const engines = new Map([
    ["postgres", Context.get(built, QueryEngine)],
    ["replica", replica.engine]
  ])
  return {
    get: (name) => engines.get(name)!,
    [Symbol.asyncDispose]: async () => {
      await replica[Symbol.asyncDispose]()
      await Effect.runPromise(Scope.close(scope, Exit.void))
    }
  }
}
