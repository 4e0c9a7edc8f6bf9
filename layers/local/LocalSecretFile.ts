import { Clock, Effect, Layer } from "effect"
import { localToken, provesSecret } from "../../src/domain/localToken.ts"
import type { StartError } from "../../src/domain/StartError.ts"
import { errorCode } from "../../src/lib/errorCode.ts"
import { LocalCommands } from "../../src/ports/LocalCommands.ts"
import { fromEnvironment } from "../../src/settings/environment.ts"
import { DATA_DIR } from "../../src/settings/settings.ts"
import { ensureLocalSecret, readLocalSecret } from "./localSecret.ts"

const failed = (why: string) =>
  Effect.as(
    Effect.logWarning(
      `Commands that ask the server need an API key: ${DATA_DIR.env} cannot hold the file with their secret (${why}).`
    ),
    null
  )

/** Accepts commands that can read the secret in a folder. */
export const layerIn = (folder: Effect.Effect<string, StartError>): Layer.Layer<LocalCommands, StartError> =>
  Layer.effect(
    LocalCommands,
    Effect.gen(function* () {
      const path = yield* folder
      const secret = yield* Effect.catch(
        Effect.tryPromise({ try: () => ensureLocalSecret(path), catch: errorCode }),
        failed
      )
      return LocalCommands.of({
        accepts: (given) =>
          Effect.map(Clock.currentTimeMillis, (now) => secret !== null && provesSecret(given, secret, now))
      })
    })
  )

/**
 * Accepts commands that can read a file in `DATA_DIR` with the mode 0600. If the folder cannot be written, commands need an API key, like
 * those on other machines.
 */
export const layer = layerIn(fromEnvironment(DATA_DIR))

/** The token of a command on the same machine. It writes nothing. */
export const token: Effect.Effect<string | null> = Effect.gen(function* () {
  const folder = yield* fromEnvironment(DATA_DIR)
  const secret = yield* Effect.promise(() => readLocalSecret(folder))
  return secret === null ? null : localToken(secret, yield* Clock.currentTimeMillis)
}).pipe(Effect.catch(() => Effect.succeed(null)))
