import { join } from "node:path"
import { Effect } from "effect"
import { fromEnvironment } from "./environment.ts"
import { DATA_DIR, SPOOL_DIR } from "./settings.ts"

/** The folder of the spools: `SPOOL_DIR`, otherwise one in `DATA_DIR`. */
export const spoolRoot = Effect.gen(function* () {
  return (yield* fromEnvironment(SPOOL_DIR)) ?? join(yield* fromEnvironment(DATA_DIR), "spool")
})
