import { Effect, Result, Schema } from "effect"
import { PREFIX } from "../../http/shared/prefix.ts"
import { bearer, detailOf, request } from "../server.ts"
import { bad, note, ok } from "./Check.ts"

const Client = Schema.Struct({
  ip: Schema.NullOr(Schema.String),
  country: Schema.NullOr(Schema.String),
  region: Schema.NullOr(Schema.String),
  city: Schema.NullOr(Schema.String),
  why: Schema.String
})

/** The client IP and location that the server would give to an event from here. */
const checkClient = Effect.fnUntraced(function* (server: string, token: string) {
  const response = yield* Effect.result(request(`${server}${PREFIX}/client`, bearer(token)))
  if (Result.isFailure(response)) return bad("client", `${server} can't be reached: ${response.failure.why}`)
  const { body, status } = response.success
  const client = Schema.decodeUnknownResult(Client)(body)
  if (status !== 200 || Result.isFailure(client)) {
    return bad(
      "client",
      `the server did not explain the client: ${detailOf(body) ?? "no explanation"}`,
      "Check the key; `bun run footfall keys create` creates one."
    )
  }
  const { ip, country, region, city, why } = client.success
  const location = [city, region, country].filter((part) => part !== null).join(", ")
  const found = `an event sent from here would get the IP ${ip ?? "unknown"}${location === "" ? "" : ` (${location})`}`
  return ok("client", `${found}. ${why}`)
})

/** The running server as seen from this machine; the client check requires an API key. */
export const checkServer = Effect.fnUntraced(function* (server: string, token: string | null) {
  const health = yield* Effect.result(request(`${server}/api/health`))
  if (Result.isFailure(health)) {
    const hint = "Start it with `bun run full`, or pass its address as --url."
    return [note("server", `${server} can't be reached: ${health.failure.why}`, hint)]
  }
  const { status } = health.success
  const check =
    status === 200
      ? ok("server", `${server} is ready: events are stored`)
      : bad(
          "server",
          `${server} responds with ${status} to /api/health`,
          status === 503 ? "It cannot store events; its log has the reason." : "Check that this is Footfall's address."
        )
  return token === null ? [check] : [check, yield* checkClient(server, token)]
})
