import { Effect } from "effect"
import { HttpServerRequest } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { VERSION } from "../../lib/version.ts"
import { explainClient } from "../../pipeline/explainClient.ts"
import { Policy } from "../../pipeline/Policy.ts"
import { AppSecret } from "../../ports/AppSecret.ts"
import { FeatureGate } from "../../ports/FeatureGate.ts"
import { Geo } from "../../ports/Geo.ts"
import { QueryEngine } from "../../ports/QueryEngine.ts"
import { Storage } from "../../ports/Storage.ts"
import { probe } from "../../query/probe.ts"
import { AdminApi } from "./Api.ts"
import { Peer } from "./Peer.ts"
import { logFailure, toldOf } from "./warehouse.ts"

const instant = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString())

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

    const warehouse = probe(engine).pipe(
      Effect.as({ engine: engine.dialect, ready: true, why: null }),
      Effect.catch((error) =>
        Effect.as(logFailure(engine, error), { engine: engine.dialect, ready: false, why: toldOf(error) })
      )
    )

    return handlers.handleAll({
      status: () =>
        Effect.map(Effect.all([storage.status, warehouse]), ([stored, asked]) => {
          const license = gate.state()
          const place = geo.state()
          return {
            version: VERSION,
            gate:
              license._tag === "Licensed"
                ? { state: "licensed" as const, expires_at: instant(license.expiresAt) }
                : { state: "open" as const, expires_at: null },
            storage: {
              backend: stored.backend,
              ready: stored.ready,
              pending_records: stored.pendingRecords,
              pending_bytes: stored.pendingBytes,
              in_flight: stored.inFlight,
              last_success_at: instant(stored.lastSuccessAt),
              last_error_at: instant(stored.lastErrorAt),
              last_error: stored.lastError
            },
            warehouse: asked,
            geo:
              place._tag === "On"
                ? {
                    on: true,
                    why: place.reloadError,
                    database: place.databaseType,
                    built_at: place.builtAt.toISOString()
                  }
                : { on: false, why: place.why, database: null, built_at: null },
            secret: { source: secret.source }
          }
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
