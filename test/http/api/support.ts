import { Effect, Exit, Layer, Logger, Redacted, References, Scope } from "effect"
import * as RejectionRing from "../../../layers/inprocess/RejectionRing.ts"
import type { StartError } from "../../../src/domain/StartError.ts"
import { type AdminHandler, adminHandler, type PeerSource } from "../../../src/http/api/server/handler.ts"
import { Policy } from "../../../src/pipeline/Policy.ts"
import { AppSecret } from "../../../src/ports/AppSecret.ts"
import { FeatureGate, type GateState } from "../../../src/ports/FeatureGate.ts"
import { Geo } from "../../../src/ports/Geo.ts"
import { QueryEngine } from "../../../src/ports/QueryEngine.ts"
import { Rejections } from "../../../src/ports/Rejections.ts"
import type { Sites } from "../../../src/ports/Sites.ts"
import { Storage } from "../../../src/ports/Storage.ts"
import type { Environment } from "../../../src/settings/resolve.ts"
import * as MemoryAdminKeys from "../../support/memory/MemoryAdminKeys.ts"
import * as MemorySettings from "../../support/memory/MemorySettings.ts"
import * as MemorySites from "../../support/memory/MemorySites.ts"

export const PREFIX = "/api/ee/product-analytics"
export const ADMIN = "ff_admin"
export const VIEWER = "ff_viewer"

const idle = Layer.succeed(
  Storage,
  Storage.of({
    saveEvent: () => Effect.void,
    saveIdentity: () => Effect.void,
    flush: Effect.void,
    ping: Effect.void,
    status: Effect.succeed({
      backend: "memory",
      ready: true,
      pendingRecords: 3,
      pendingBytes: 900,
      inFlight: 1,
      lastSuccessAt: 1_000,
      lastErrorAt: null,
      lastError: null
    })
  })
)

/** A warehouse without data. */
const emptyWarehouse = Layer.succeed(
  QueryEngine,
  QueryEngine.of({ dialect: "postgres", run: () => Effect.succeed({ columns: [], rows: [] }) })
)

const london = Layer.succeed(
  Geo,
  Geo.of({
    locate: (ip) => (ip === "81.2.69.142" ? { country: "GB", region: "GB-ENG", city: "London" } : null),
    state: () => ({
      _tag: "On",
      path: "/geo.mmdb",
      databaseType: "GeoLite2-City",
      builtAt: new Date(0),
      reloadError: null
    })
  })
)

/** A parsed response; a missing member is undefined. */
// biome-ignore lint/suspicious/noExplicitAny: the tests' own expectations check responses
export type Json = any

export interface Admin {
  /** Sends a request with the admin's key by default; `key: null` sends none. */
  readonly call: (
    method: string,
    path: string,
    options?: {
      readonly key?: string | null
      readonly body?: unknown
      readonly headers?: Record<string, string>
      readonly server?: PeerSource
    }
  ) => Promise<{ readonly status: number; readonly headers: Headers; readonly body: Json }>
  readonly handler: AdminHandler
  readonly rejections: Rejections["Service"]
  readonly close: () => Promise<void>
}

/** Starts the admin API on in-memory services. */
export const startAdmin = async (
  options: {
    readonly environment?: Environment
    readonly gate?: GateState
    readonly sites?: Layer.Layer<Sites>
    readonly warehouse?: Layer.Layer<QueryEngine, StartError>
    /** Receives log lines as JSON; without it nothing is logged. */
    readonly log?: Array<string>
  } = {}
): Promise<Admin> => {
  const { log } = options
  const gate = options.gate ?? { _tag: "Open" }
  const services = Policy.layer.pipe(
    Layer.provideMerge(
      Layer.mergeAll(
        options.sites ?? MemorySites.layer(),
        MemorySettings.layer(options.environment ?? { PUBLIC_URL: "https://stats.example" }),
        MemoryAdminKeys.layer({ [ADMIN]: "admin", [VIEWER]: "viewer" }),
        Layer.succeed(AppSecret, { value: Redacted.make("a secret of our own"), source: "database" }),
        Layer.succeed(FeatureGate, { isOn: () => gate._tag !== "Off", state: () => gate }),
        RejectionRing.layer,
        options.warehouse ?? emptyWarehouse,
        idle,
        london
      )
    )
  )
  const scope = Scope.makeUnsafe()
  const { handler, rejections } = await Effect.runPromise(
    Effect.gen(function* () {
      return { handler: yield* adminHandler, rejections: yield* Rejections }
    }).pipe(
      Effect.provide(await Effect.runPromise(Layer.buildWithScope(services, scope))),
      Scope.provide(scope),
      Effect.provideService(References.MinimumLogLevel, log === undefined ? "Fatal" : "Info"),
      Effect.provide(Logger.layer([Logger.make((line) => void log?.push(Logger.formatJson.log(line)))]))
    )
  )
  return {
    handler,
    rejections,
    close: () => Effect.runPromise(Scope.close(scope, Exit.void)),
    call: async (method, path, { key = ADMIN, body, headers = {}, server } = {}) => {
      const response = await handler(
        new Request(`http://localhost:3000${path.startsWith("/") ? path : `${PREFIX}/${path}`}`, {
          method,
          headers: {
            ...(key !== null && { authorization: `Bearer ${key}` }),
            ...(body !== undefined && { "content-type": "application/json" }),
            ...headers
          },
          ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) })
        }),
        server
      )
      const content = await response.text()
      const isJson = content !== "" && response.headers.get("content-type")?.includes("json")
      return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(content) : content }
    }
  }
}
