import { Effect } from "effect"
import { HttpServerRequest } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { VERSION } from "../../../lib/version.ts"
import { explainClient } from "../../../pipeline/explainClient.ts"
import { Policy } from "../../../pipeline/Policy.ts"
import { AppSecret } from "../../../ports/AppSecret.ts"
import { FeatureGate, type GateState } from "../../../ports/FeatureGate.ts"
import { Geo, type GeoState } from "../../../ports/Geo.ts"
import { QueryEngine } from "../../../ports/QueryEngine.ts"
import { Rejections } from "../../../ports/Rejections.ts"
import { Replica } from "../../../ports/Replica.ts"
import { Storage, type StorageStatus } from "../../../ports/Storage.ts"
import { probe } from "../../../query/probe.ts"
import { replicaJson } from "../../shared/json/replica.ts"
import { AdminApi } from "../AdminApi.ts"
import { Peer } from "../server/Peer.ts"
import { logFailure, publicMessage } from "../server/queryFailure.ts"
import type { StatusJson } from "./api.ts"

/** User agents in a response: the most often rejected ones. */
const MAX_AGENTS = 5

const instant = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString())

const gateJson = (state: GateState): StatusJson["gate"] =>
  state._tag === "Licensed"
    ? { state: "licensed", expires_at: instant(state.expiresAt) }
    : { state: "open", expires_at: null }

const storageJson = (status: StorageStatus): StatusJson["storage"] => ({
  backend: status.backend,
  ready: status.ready,
  pending_records: status.pendingRecords,
  pending_bytes: status.pendingBytes,
  in_flight: status.inFlight,
  last_success_at: instant(status.lastSuccessAt),
  last_error_at: instant(status.lastErrorAt),
  last_error: status.lastError
})

const geoJson = (state: GeoState): StatusJson["geo"] =>
  state._tag === "On"
    ? { on: true, why: state.reloadError, database: state.databaseType, built_at: state.builtAt.toISOString() }
    : { on: false, why: state.why, database: null, built_at: null }

export const StatusHandlers = HttpApiBuilder.group(
  AdminApi,
  "status",
  Effect.fn(function* (handlers) {
    const storage = yield* Storage
    const geo = yield* Geo
    const gate = yield* FeatureGate
    const secret = yield* AppSecret
    const policy = yield* Policy
    const engine = yield* QueryEngine
    const replica = yield* Replica
    const rejections = yield* Rejections

    const warehouseJson = Effect.matchEffect(probe(engine), {
      onSuccess: () => Effect.succeed<StatusJson["warehouse"]>({ engine: engine.dialect, ready: true, why: null }),
      onFailure: (error) => {
        const why = publicMessage(error)
        return error.reason === "NoEngine"
          ? Effect.succeed<StatusJson["warehouse"]>({ engine: "none", ready: false, why })
          : Effect.as(logFailure(engine, error), { engine: engine.dialect, ready: false, why })
      }
    })

    return handlers.handleAll({
      status: Effect.fnUntraced(function* () {
        const replicaStatus = yield* replica.status
        const status: StatusJson = {
          version: VERSION,
          gate: gateJson(gate.state()),
          storage: storageJson(yield* storage.status),
          warehouse:
            replicaStatus?.isUsable === true ? { engine: "replica", ready: true, why: null } : yield* warehouseJson,
          replica: replicaStatus === null ? null : replicaJson(replicaStatus),
          geo: geoJson(geo.state()),
          rejected_agents: rejections
            .rejectedAgents(MAX_AGENTS)
            .map(({ count, siteId, userAgent }) => ({ site_id: siteId, user_agent: userAgent, count })),
          secret: { source: secret.source }
        }
        return status
      }),
      client: Effect.fnUntraced(function* () {
        const request = yield* HttpServerRequest.HttpServerRequest
        const peer = yield* Peer
        const { ip, ...rest } = yield* explainClient({
          headers: new Headers({ ...request.headers }),
          peer: peer ?? ""
        }).pipe(Effect.provideService(Policy, policy), Effect.provideService(Geo, geo))
        return { peer, ip: ip === "" ? null : ip, ...rest }
      })
    })
  })
)
