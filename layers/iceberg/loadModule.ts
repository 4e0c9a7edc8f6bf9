import { Effect } from "effect"
import { IcebergError } from "./IcebergError.ts"

/** Imports a module on first use, so that a process loads only the packages that its catalog needs. */
export const loadModule = <A>(name: string, load: () => Promise<A>): Effect.Effect<A, IcebergError> =>
  Effect.tryPromise({
    try: load,
    catch: (cause) => IcebergError.invalid(`Cannot load ${name}: ${String(cause)}`)
  })
