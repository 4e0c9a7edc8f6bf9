import { Effect } from "effect"
import { StartError } from "../domain/StartError.ts"

/** Loads a module when it is chosen, so that other processes do without its code. */
export const load = <A>(what: string, module: () => Promise<A>): Effect.Effect<A, StartError> =>
  Effect.tryPromise({
    try: module,
    catch: (cause) => new StartError({ message: `The code of ${what} cannot be loaded: ${String(cause)}` })
  })
