import { Effect, Exit, Layer, Logger, Redacted, References, Scope, Stream } from "effect"
import * as LinkBuckets from "../../../layers/inprocess/LinkBuckets.ts"
import * as RejectionRing from "../../../layers/inprocess/RejectionRing.ts"
import * as LicenseGate from "../../../layers/license/LicenseGate.ts"
import type { StartError } from "../../../src/domain/StartError.ts"
import type { ContentServices } from "../../../src/http/api/server/content.ts"
import { type AdminHandler, adminHandler, type PeerSource } from "../../../src/http/api/server/handler.ts"
import type { PeopleServices } from "../../../src/http/api/server/people.ts"
import { Policy } from "../../../src/pipeline/Policy.ts"
import { AppSecret } from "../../../src/ports/AppSecret.ts"
import { FeatureGate, type GateState } from "../../../src/ports/FeatureGate.ts"
import { Geo } from "../../../src/ports/Geo.ts"
import type { LinkLimits } from "../../../src/ports/LinkLimits.ts"
import type { Metadata } from "../../../src/ports/Metadata.ts"
import { Properties } from "../../../src/ports/Properties.ts"
import { QueryEngine } from "../../../src/ports/QueryEngine.ts"
import { QuestionEngines } from "../../../src/ports/QuestionEngines.ts"
import { Rejections } from "../../../src/ports/Rejections.ts"
import { Replica, type ReplicaStatus } from "../../../src/ports/Replica.ts"
import type { SavedDefinitions } from "../../../src/ports/SavedDefinitions.ts"
import type { Settings } from "../../../src/ports/Settings.ts"
import { SiteData } from "../../../src/ports/SiteData.ts"
import type { Sites } from "../../../src/ports/Sites.ts"
import { Storage } from "../../../src/ports/Storage.ts"
import type { FieldScanner } from "../../../src/query/metadata/FieldScanner.ts"
import * as Asking from "../../../src/query/run/Asking.ts"
import type { Environment } from "../../../src/settings/resolve.ts"
import * as MemoryAdminKeys from "../../support/memory/MemoryAdminKeys.ts"
import * as MemoryMetadata from "../../support/memory/MemoryMetadata.ts"
import * as MemorySavedDefinitions from "../../support/memory/MemorySavedDefinitions.ts"
import * as MemorySettings from "../../support/memory/MemorySettings.ts"
import * as MemorySites from "../../support/memory/MemorySites.ts"
import { noContent } from "../../support/memory/noContent.ts"
import * as noPeople from "../../support/memory/noPeople.ts"

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

/** A replica with this status. */
export const replicaWith = (status: ReplicaStatus | null): Layer.Layer<Replica> =>
  Layer.succeed(
    Replica,
    Replica.of({
      status: Effect.succeed(status),
      rebuild: Effect.void,
      check: Effect.succeed({ at: 0, complete: true, differences: 0 }),
      sync: Effect.void
    })
  )
const noReplica = replicaWith(null)

/** A warehouse without data. */
const emptyWarehouse = Layer.succeed(
  QueryEngine,
  QueryEngine.of({
    dialect: "postgres",
    model: "postgres",
    run: () => Effect.succeed({ columns: [], rows: [] }),
    stream: () => Stream.make({ columns: [], rows: [] }),
    asOf: Effect.succeed({ time: "2026-03-28T00:00:00.000000Z", version: "1" })
  })
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

/** The warehouse as the only engine of questions. */
const engineOf = (warehouse: Layer.Layer<QueryEngine, StartError>): Layer.Layer<QuestionEngines, StartError> =>
  Layer.effect(
    QuestionEngines,
    Effect.map(QueryEngine, (engine) =>
      QuestionEngines.of({ usable: Effect.succeed({ primary: engine, fallback: null, why: null }) })
    )
  ).pipe(Layer.provide(warehouse))

const noProperties = Layer.succeed(
  Properties,
  Properties.of({
    propertyType: () => null,
    attributeType: () => null,
    propertyKeys: () => [],
    attributeKeys: () => [],
    isPropertyDeclared: () => false,
    isAttributeDeclared: () => false,
    hidden: () => [],
    list: () => Effect.succeed([]),
    find: () => Effect.succeed(null),
    refresh: Effect.void
  })
)

/** What the app database holds. */
export type Control = Sites | Settings | AppSecret | PeopleServices

const memoryControl = (
  environment: Environment = { PUBLIC_URL: "https://stats.example" }
): Layer.Layer<Control, StartError> =>
  Layer.mergeAll(
    MemorySites.layer(),
    MemorySettings.layer(environment),
    MemoryAdminKeys.layer({ [ADMIN]: "admin", [VIEWER]: "viewer" }),
    noPeople.layer,
    Layer.succeed(AppSecret, { value: Redacted.make("a secret of our own"), source: "database" })
  )

const noSiteData = Layer.succeed(
  SiteData,
  SiteData.of({
    reset: () => Effect.succeed({ events: 0, visitors: 0, keptVisitors: 0 }),
    remove: () => Effect.succeed({ events: 0, visitors: 0 })
  })
)

/** Starts the admin API on in-memory services. */
export const startAdmin = async (
  options: {
    readonly environment?: Environment
    readonly gate?: GateState
    readonly sites?: Layer.Layer<Sites>
    /** What the app database holds; default: in memory, without users. */
    readonly control?: Layer.Layer<Control, StartError>
    readonly warehouse?: Layer.Layer<QueryEngine, StartError>
    /** Who answers questions; default: the warehouse. */
    readonly engines?: Layer.Layer<QuestionEngines, StartError>
    readonly properties?: Layer.Layer<Properties>
    readonly siteData?: Layer.Layer<SiteData>
    /** What is known about fields, and how their values are read; default: in memory, and not at all. */
    readonly metadata?: Layer.Layer<Metadata | FieldScanner>
    readonly replica?: Layer.Layer<Replica>
    /** Saved questions and filters that questions refer to; default: none. */
    readonly saved?: Layer.Layer<SavedDefinitions, StartError>
    /** What people save; default: an app database that can't be reached. */
    readonly content?: Layer.Layer<Exclude<ContentServices, LinkLimits>, StartError>
    /** Receives log lines as JSON; without it nothing is logged. */
    readonly log?: Array<string>
  } = {}
): Promise<Admin> => {
  const { log } = options
  const gate = options.gate ?? { _tag: "Open" }
  const services = Policy.layer.pipe(
    Layer.provideMerge(
      Layer.mergeAll(
        options.control ?? memoryControl(options.environment),
        ...(options.sites === undefined ? [] : [options.sites]),
        options.gate === undefined && options.control !== undefined
          ? LicenseGate.layer.pipe(Layer.provide(options.control))
          : Layer.succeed(FeatureGate, {
              isOn: () => gate._tag !== "Off",
              state: () => gate,
              check: () => Effect.succeed(gate),
              refresh: Effect.void
            }),
        RejectionRing.layer,
        options.warehouse ?? emptyWarehouse,
        options.replica ?? noReplica,
        options.siteData ?? noSiteData,
        options.engines ?? engineOf(options.warehouse ?? emptyWarehouse),
        options.properties ?? noProperties,
        options.saved ?? MemorySavedDefinitions.layer(),
        options.content ?? noContent,
        options.metadata ?? Layer.merge(MemoryMetadata.layer, MemoryMetadata.noScanner),
        LinkBuckets.layer.pipe(Layer.provide(options.control ?? memoryControl(options.environment))),
        Asking.layer,
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
