import { resolve } from "node:path"
import { Effect, Predicate, Result } from "effect"
import { StartError } from "../domain/StartError.ts"
import { withBasePath } from "../http/shared/basePath.ts"
import { fromEnvironment } from "../settings/environment.ts"
import { BASE_PATH, PORT } from "../settings/settings.ts"
import { request } from "./server.ts"

/** A server on the same machine that takes longer is not asked: the command goes on. */
const RESPONSE_SECONDS = 3

/** Whether Footfall answers at an address and stores events, so that it has a database. */
const storesEvents = Effect.fnUntraced(function* (server: string) {
  const answers = yield* Effect.result(
    Effect.all([
      request(`${server}/livez`, {}, RESPONSE_SECONDS),
      request(`${server}/api/health`, {}, RESPONSE_SECONDS)
    ])
  )
  if (Result.isFailure(answers)) return false
  const [alive, health] = answers.success
  return (
    alive.body === "ok" &&
    health.status === 200 &&
    Predicate.hasProperty(health.body, "status") &&
    health.body.status === "ok"
  )
})

/**
 * Fails if Footfall runs on this machine's `PORT`: a command that is about to create a database in a folder without one was probably meant
 * for the database that this server has.
 */
export const refuseSecondInstance = Effect.fnUntraced(function* (folder: string): Effect.fn.Return<void, StartError> {
  const port = yield* fromEnvironment(PORT)
  // Only the server knows its port.
  if (port === 0) return
  const server = withBasePath(`http://localhost:${port}`, yield* fromEnvironment(BASE_PATH))
  if (!(yield* storesEvents(server))) return
  return yield* new StartError({
    message: `There is no Footfall data in DATA_DIR (${resolve(folder)}), but Footfall runs on ${server} with data elsewhere. To work on that, set DATA_DIR or DATABASE_URL as for the server. To create a second instance in this folder, set PORT to the port that it will have.`
  })
})
