import { Effect } from "effect"
import { Settings } from "../ports/Settings.ts"
import { unfinishedProvider } from "../settings/singleSignOn.ts"

/** Says at the start that users cannot sign in with a provider of which only one setting is set. */
export const warnOfUnfinishedProvider: Effect.Effect<void, never, Settings> = Effect.gen(function* () {
  const unfinished = unfinishedProvider((yield* Settings).get)
  if (unfinished === null) return
  const { missing, set } = unfinished
  yield* Effect.logWarning(
    `${set} is set but ${missing} is not, so users can't sign in with the identity provider. Set ${missing}, or unset ${set}.`
  )
})
