import { Effect, Result, Schema } from "effect"
import { PREFIX } from "../../http/shared/prefix.ts"
import { REJECTED_AGENT_HINT } from "../../http/shared/rejectedAgent.ts"
import { ADDRESS_PROBLEMS, explainAddressProblem } from "../../pipeline/addressProblem.ts"
import { fromEnvironment } from "../../settings/environment.ts"
import { METRICS_TOKEN } from "../../settings/settings.ts"
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
  const found = `the server sees this machine as ${ip ?? "an unknown address"}${location === "" ? "" : ` (${location})`}`
  return ok("client", `${found}. ${why}`)
})

const PROBLEM_SAMPLE = /^footfall_client_address_problems_total\{([^}]*)\} (\d+)/gm

/** Signs of a wrong `TRUST_PROXY` that the running server has counted. They are in its metrics, which a proxy may block. */
const checkAddresses = Effect.fnUntraced(function* (server: string) {
  const token = yield* fromEnvironment(METRICS_TOKEN)
  const response = yield* Effect.result(request(`${server}/metrics`, token === null ? {} : bearer(token)))
  if (Result.isFailure(response) || response.success.status !== 200) {
    const why = Result.isFailure(response) ? response.failure.why : `it responds with ${response.success.status}`
    return [
      note(
        "addresses",
        `unknown whether clients get the right addresses: ${server}/metrics can't be read (${why})`,
        "Run doctor where the proxy does not block /metrics, with METRICS_TOKEN set if the server has it."
      )
    ]
  }
  const counts = new Map<string, number>()
  for (const [, labels, value] of String(response.success.body).matchAll(PROBLEM_SAMPLE)) {
    const problem = /problem="(\w+)"/.exec(labels!)?.[1] ?? ""
    counts.set(problem, (counts.get(problem) ?? 0) + Number(value))
  }
  const problems = ADDRESS_PROBLEMS.flatMap((problem) => {
    const count = counts.get(problem) ?? 0
    const { found, remedy } = explainAddressProblem(problem)
    return count === 0 ? [] : [note("addresses", `${found} (${count} so far)`, remedy)]
  })
  return problems.length > 0 ? problems : [ok("addresses", "no sign that clients get a proxy's address")]
})

const RejectedAgents = Schema.Struct({
  rejected_agents: Schema.Array(Schema.Struct({ user_agent: Schema.String, count: Schema.Int }))
})

/** User agents that the server often rejects as bots. Nothing if it does not say, which the client's check explains. */
const checkAgents = Effect.fnUntraced(function* (server: string, token: string) {
  const response = yield* Effect.result(request(`${server}${PREFIX}/status`, bearer(token)))
  if (Result.isFailure(response)) return []
  const status = Schema.decodeUnknownResult(RejectedAgents)(response.success.body)
  if (Result.isFailure(status)) return []
  const { rejected_agents: agents } = status.success
  if (agents.length === 0) return [ok("bots", "no user agent is often rejected as a bot")]
  return agents.map(({ count, user_agent }) =>
    note("bots", `the user agent ${user_agent} was rejected as a bot ${count} times recently`, REJECTED_AGENT_HINT)
  )
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
  return [
    check,
    ...(yield* checkAddresses(server)),
    ...(token === null ? [] : [...(yield* checkAgents(server, token)), yield* checkClient(server, token)])
  ]
})
