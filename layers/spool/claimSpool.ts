import { mkdir, readdir } from "node:fs/promises"
import { join } from "node:path"
import { Effect, type Scope } from "effect"
import { openSpool, type Spool, type SpoolOptions } from "./Spool.ts"
import { SpoolError, toSpoolError } from "./SpoolError.ts"
import { isSpoolName } from "./segmentNames.ts"

/** Spools of one machine: more than one per core, of any machine. */
const MAX_SPOOLS = 256

export type ClaimOptions = Omit<SpoolOptions, "folder">

/** Opens the first spool under a folder that is not in use: `0`, `1` and so on, created when missing. */
export const claimSpool = Effect.fnUntraced(function* (
  root: string,
  options: ClaimOptions
): Effect.fn.Return<Spool, SpoolError, Scope.Scope> {
  for (let number = 0; number < MAX_SPOOLS; number++) {
    const opened = yield* Effect.result(openSpool({ ...options, folder: join(root, String(number)) }))
    if (opened._tag === "Success") return opened.success
    if (opened.failure.reason !== "Locked") return yield* opened.failure
  }
  return yield* new SpoolError({
    reason: "Locked",
    message: `All ${MAX_SPOOLS} spools in ${root} are used by other processes.`
  })
})

/** The folders of the spools under a folder, whether or not they are in use. */
export const listSpools = (root: string): Effect.Effect<ReadonlyArray<string>, SpoolError> =>
  Effect.tryPromise({
    try: async () => {
      await mkdir(root, { recursive: true, mode: 0o700 })
      const names = await readdir(root)
      return names
        .filter(isSpoolName)
        .sort((a, b) => Number(a) - Number(b))
        .map((name) => join(root, name))
    },
    catch: (error) => toSpoolError(root, error)
  })
