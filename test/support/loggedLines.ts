import { Effect, Logger } from "effect"

/** What an effect logs, whether or not it fails. */
export const loggedLines = (effect: Effect.Effect<unknown, unknown>): Effect.Effect<ReadonlyArray<string>> =>
  Effect.gen(function* () {
    const lines: Array<string> = []
    const logger = Logger.make(({ message }) => void lines.push(String(message)))
    yield* Effect.provide(Effect.exit(effect), Logger.layer([logger]))
    return lines
  })
