import { mkdir, readdir } from "node:fs/promises"
import { join } from "node:path"
import { Effect, type Scope } from "effect"
import { openSpool, type Spool, type SpoolOptions, spoolFailure } from "./Spool.ts"
import { SpoolError } from "./SpoolError.ts"

/** Collectors of one machine. */
const MOST = 256

export type ClaimOptions = Omit<SpoolOptions, "folder">

/** The first log under a folder that nobody uses: `0`, `1` and so on, made when missing. */
export const claimSpool = Effect.fnUntraced(function* (
  root: string,
  options: ClaimOptions
): Effect.fn.Return<Spool, SpoolError, Scope.Scope> {
  for (let number = 0; number < MOST; number++) {
    const opened = yield* Effect.result(openSpool({ ...options, folder: join(root, String(number)) }))
    if (opened._tag === "Success") return opened.success
    if (opened.failure.reason !== "Locked") return yield* opened.failure
  }
  return yield* new SpoolError({
    reason: "Locked",
    message: `All ${MOST} logs in ${root} are used by other processes.`
  })
})

/** The folders of logs under a folder, used or not. */
export const listSpools = (root: string): Effect.Effect<ReadonlyArray<string>, SpoolError> =>
  Effect.tryPromise({
    try: async () => {
      await mkdir(root, { recursive: true, mode: 0o700 })
      const names = await readdir(root)
      return names
        .filter((name) => /^\d+$/.test(name))
        .sort((a, b) => Number(a) - Number(b))
        .map((name) => join(root, name))
    },
    catch: (error) => spoolFailure(root, error)
  })
