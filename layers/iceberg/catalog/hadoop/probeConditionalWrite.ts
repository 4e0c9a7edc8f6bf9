import { Effect } from "effect"
import { IcebergError } from "../../IcebergError.ts"
import type { ObjectStore } from "../../io/ObjectStore.ts"
import { removeBestEffort } from "../removeBestEffort.ts"

/**
 * Fails with `Invalid` if the store ignores the condition of a conditional write (`If-None-Match`), as some S3-compatible
 * stores do: commits would silently overwrite each other there. Writes a temporary file twice to find out.
 */
export const probeConditionalWrite = (store: ObjectStore, warehouse: string): Effect.Effect<void, IcebergError> =>
  Effect.suspend(() => {
    const file = `${warehouse}/.footfall-write-check-${crypto.randomUUID()}`
    const write = (content: string) => store.writeNew(file, new TextEncoder().encode(content))
    return Effect.gen(function* () {
      yield* write("first")
      if (!(yield* write("second"))) return
      return yield* IcebergError.invalid(
        `The store of ${warehouse} ignores conditional writes, so commits would overwrite each other: use another catalog type than hadoop, or a store that supports conditional writes.`
      )
    }).pipe(Effect.ensuring(removeBestEffort(store, [file])))
  })
