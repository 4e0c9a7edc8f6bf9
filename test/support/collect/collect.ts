import { Clock, Context, Effect, Exit, Layer, Redacted, References, Scope } from "effect"
import * as RejectionRing from "../../../layers/inprocess/RejectionRing.ts"
import * as TokenBuckets from "../../../layers/inprocess/TokenBuckets.ts"
import * as LicenseGate from "../../../layers/license/LicenseGate.ts"
import type { EventRecord, IdentityRecord } from "../../../src/domain/Event.ts"
import { SiteId } from "../../../src/domain/ids.ts"
import { Site } from "../../../src/domain/Site.ts"
import type { StorageError } from "../../../src/domain/StorageError.ts"
import { CollectServer, type ServerOptions } from "../../../src/http/collect/CollectServer.ts"
import { PipelineEnv } from "../../../src/pipeline/PipelineEnv.ts"
import { Policy } from "../../../src/pipeline/Policy.ts"
import { AppSecret } from "../../../src/ports/AppSecret.ts"
import { Geo, type Location } from "../../../src/ports/Geo.ts"
import { Rejections } from "../../../src/ports/Rejections.ts"
import { Settings } from "../../../src/ports/Settings.ts"
import { Sites } from "../../../src/ports/Sites.ts"
import { Storage } from "../../../src/ports/Storage.ts"
import { joinSupervisor } from "../../../src/process/worker.ts"
import * as MemorySettings from "../memory/MemorySettings.ts"
import * as MemorySites from "../memory/MemorySites.ts"

/** The site of the contract's test vectors. */
export const SITE = "11111111-2222-4333-8444-555555555555"
export const SECRET = "bench-secret"

/** A browser of the contract's test vectors. */
export const FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:125.0) Gecko/20100101 Firefox/125.0"

export const site = (id: string, domains: ReadonlyArray<string> = []): Site =>
  new Site({
    id: SiteId.make(id),
    name: "Test",
    domains,
    archived: false,
    rateLimit: null,
    timezone: "UTC",
    weekStart: "monday",
    definitions: "strict",
    currency: "USD",
    createdAt: new Date(0),
    updatedAt: new Date(0)
  })

/** Locations of a geo database with three addresses. */
const PLACES: Readonly<Record<string, Location>> = {
  "81.2.69.142": { country: "GB", region: "GB-ENG", city: "Kennington" },
  "2001:db8::1": { country: "SE", region: null, city: null }
}

/** The JSON of every response of the wire format, as far as tests read it. */
export interface WireAnswer {
  readonly cache: string
  readonly sessionId: string
  readonly visitId: string
  readonly details: ReadonlyArray<unknown>
  readonly error: {
    readonly properties: {
      readonly payload: { readonly properties: Readonly<Record<string, { readonly errors: unknown }>> }
    }
  }
}

export interface WireResponse extends Response {
  json(): Promise<WireAnswer>
}

export interface CollectUnderTest {
  readonly url: string
  readonly port: number
  readonly events: ReadonlyArray<EventRecord>
  readonly identities: ReadonlyArray<IdentityRecord>
  readonly rejections: Rejections["Service"]
  readonly settings: Settings["Service"]
  readonly sites: Sites["Service"]
  /** Sends a body (objects as JSON) to a path. */
  readonly post: (body: unknown, options?: PostOptions) => Promise<WireResponse>
  readonly stop: () => Promise<void>
}

export interface PostOptions {
  readonly path?: string
  readonly headers?: Record<string, string>
}

export interface CollectOptions {
  readonly environment?: Readonly<Record<string, string>>
  readonly sites?: ReadonlyArray<Site>
  /** The result of storing an event; by default it is stored. */
  readonly onSave?: (record: EventRecord) => Effect.Effect<void, StorageError>
  readonly ping?: Effect.Effect<void, StorageError>
  /** Where events go instead of the arrays. */
  readonly storage?: Layer.Layer<Storage>
  readonly clock?: Clock.Clock
  readonly fallback?: NonNullable<ServerOptions["fallback"]>
}

const geo = Layer.succeed(Geo, {
  locate: (ip) => PLACES[ip] ?? null,
  state: () => ({ _tag: "Off", why: "test" }) as const
})

const secret = Layer.succeed(AppSecret, { value: Redacted.make(SECRET), source: "APP_SECRET" })

/** The pipeline's own services on top of a storage and the settings, sites and secret. */
const pipelineTo = (storage: Layer.Layer<Storage>) =>
  PipelineEnv.layer.pipe(
    Layer.provideMerge(
      Layer.mergeAll(Policy.layer, geo, LicenseGate.layer, RejectionRing.layer, TokenBuckets.layer, storage)
    )
  )

/** What the pipeline's steps share, with default settings and one site. */
export const pipelineEnv = (storage: Storage["Service"]): Promise<PipelineEnv["Service"]> =>
  Effect.runPromise(
    Effect.scoped(
      Effect.map(
        Layer.build(
          pipelineTo(Layer.succeed(Storage, storage)).pipe(
            Layer.provide(Layer.mergeAll(MemorySettings.layer({}), MemorySites.layer([site(SITE)]), secret))
          )
        ),
        (context) => Context.get(context, PipelineEnv)
      )
    )
  )

/** The real server and pipeline on a free port, storing into arrays by default. */
export const startCollect = async (options: CollectOptions = {}): Promise<CollectUnderTest> => {
  const events: Array<EventRecord> = []
  const identities: Array<IdentityRecord> = []
  const arrays = Layer.succeed(Storage, {
    saveEvent: (record) =>
      options.onSave === undefined
        ? Effect.sync(() => void events.push(record))
        : Effect.tap(options.onSave(record), () => Effect.sync(() => void events.push(record))),
    saveIdentity: (record) => Effect.sync(() => void identities.push(record)),
    flush: Effect.void,
    ping: options.ping ?? Effect.void,
    status: Effect.succeed({
      backend: "test",
      ready: true,
      pendingRecords: 0,
      pendingBytes: 0,
      inFlight: 0,
      lastSuccessAt: null,
      lastErrorAt: null,
      lastError: null
    })
  })
  const control = Layer.mergeAll(
    MemorySettings.layer({ PORT: "0", HOST: "127.0.0.1", ...options.environment }),
    MemorySites.layer(options.sites ?? [site(SITE)]),
    secret
  )
  const storage = options.storage ?? arrays
  const services = pipelineTo(storage)
  const server = CollectServer.layer({
    stop: () => {},
    joinSupervisor,
    ...(options.fallback === undefined ? {} : { fallback: options.fallback })
  })
  const scope = Scope.makeUnsafe()
  const build = Layer.buildWithScope(
    server.pipe(Layer.provideMerge(services), Layer.provideMerge(control)),
    scope
  ).pipe(Effect.provideService(References.MinimumLogLevel, "None"))
  const context = await Effect.runPromise(
    options.clock === undefined ? build : Effect.provideService(build, Clock.Clock, options.clock)
  )
  const { url, port } = Context.get(context, CollectServer)
  const base = url.replace("localhost", "127.0.0.1")
  return {
    url: base,
    port,
    events,
    identities,
    rejections: Context.get(context, Rejections),
    settings: Context.get(context, Settings),
    sites: Context.get(context, Sites),
    post: (body, { path = "/api/send", headers = {} } = {}) =>
      fetch(base + path, {
        method: "POST",
        headers: { "content-type": "application/json", "user-agent": FIREFOX, ...headers },
        body: typeof body === "string" || body instanceof Uint8Array ? body : JSON.stringify(body)
      }) as Promise<WireResponse>,
    stop: () => Effect.runPromise(Scope.close(scope, Exit.void))
  }
}
