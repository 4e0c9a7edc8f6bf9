import { Effect } from "effect"
import { type IcebergError, icebergError } from "../../IcebergError.ts"
import type { ObjectStore } from "../../io/ObjectStore.ts"
import { removeBestEffort } from "../removeBestEffort.ts"

/**
 * Some stores that speak S3 take a conditional write for a plain one (no `If-None-Match`). Commits would overwrite each other
 * there, and nobody would be told; so it is tried first, on a file of no meaning.
 */
export const keepsWhatIsThere = (store: ObjectStore, warehouse: string): Effect.Effect<void, IcebergError> =>
  Effect.suspend(() => {
    const file = `${warehouse}/.footfall-write-check-${crypto.randomUUID()}`
    const write = (text: string) => store.writeNew(file, new TextEncoder().encode(text))
    return Effect.gen(function* () {
      yield* write("first")
      if (!(yield* write("second"))) return
      return yield* icebergError(
        "Invalid",
        `The store of ${warehouse} writes over what is there although it is asked not to, so commits would get lost: use another catalog than hadoop, or a store that knows conditional writes.`
      )
    }).pipe(Effect.ensuring(removeBestEffort(store, [file])))
  })
