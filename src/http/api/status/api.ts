import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api"
import { VERSION } from "../../../lib/version.ts"
import { Instant } from "../../shared/json/fields.ts"
import { Access, requires } from "../access.ts"
import { endpointDocs } from "../endpointDocs.ts"

const StatusJson = Schema.Struct({
  version: Schema.String.annotate({ examples: [VERSION] }),
  gate: Schema.Struct({
    state: Schema.Literals(["open", "licensed"]),
    expires_at: Schema.NullOr(Instant)
  }).annotate({ description: "Whether a license is required, and when it expires" }),
  storage: Schema.Struct({
    backend: Schema.String.annotate({ examples: ["postgres"] }),
    ready: Schema.Boolean.annotate({ description: "Events can be stored", examples: [true] }),
    pending_records: Schema.Finite.annotate({ description: "Records waiting to be written", examples: [12] }),
    pending_bytes: Schema.Finite.annotate({ examples: [14_336] }),
    in_flight: Schema.Finite.annotate({ description: "Batches being written", examples: [1] }),
    last_success_at: Schema.NullOr(Instant),
    last_error_at: Schema.NullOr(Instant),
    last_error: Schema.NullOr(Schema.String).annotate({ examples: [null] })
  }),
  warehouse: Schema.Struct({
    engine: Schema.Literals(["replica", "postgres", "trino", "duckdb", "none"]).annotate({
      description: "Which engine answers questions"
    }),
    ready: Schema.Boolean.annotate({ description: "The engine is reachable and finds the events", examples: [true] }),
    why: Schema.NullOr(Schema.String).annotate({ description: "Why the engine is not ready", examples: [null] })
  }),
  replica: Schema.NullOr(
    Schema.Struct({
      phase: Schema.Literals(["starting", "rebuilding", "following", "waiting"]),
      usable: Schema.Boolean.annotate({
        description: "It answers questions; otherwise Postgres does",
        examples: [true]
      }),
      why: Schema.NullOr(Schema.String).annotate({ description: "What it waits for", examples: [null] }),
      as_of: Schema.NullOr(Schema.String).annotate({
        description: "Its data is complete up to this time",
        examples: ["2026-03-28T22:50:00.123456Z"]
      }),
      rebuilt_events: Schema.NullOr(Schema.Finite).annotate({
        description: "Events that the running rebuild has loaded",
        examples: [null]
      }),
      total_events: Schema.NullOr(Schema.Finite).annotate({
        description: "How many it has to load, as Postgres estimates",
        examples: [null]
      }),
      linked_events: Schema.NullOr(Schema.Finite).annotate({
        description: "Once all are loaded: those of them whose visits are known",
        examples: [null]
      }),
      file_bytes: Schema.Finite.annotate({ examples: [420_000_000] }),
      checked_at: Schema.NullOr(Instant),
      differences: Schema.NullOr(Schema.Finite).annotate({
        description: "Days of sites that differed from Postgres at the last check, and were read again",
        examples: [0]
      })
    })
  ).annotate({ description: "The columnar replica; null if this process keeps none" }),
  geo: Schema.Struct({
    on: Schema.Boolean.annotate({ description: "IP addresses are resolved to locations", examples: [true] }),
    why: Schema.NullOr(Schema.String).annotate({
      description: "Why not, or why the latest file was rejected",
      examples: [null]
    }),
    database: Schema.NullOr(Schema.String).annotate({ examples: ["GeoLite2-City"] }),
    built_at: Schema.NullOr(Instant)
  }),
  rejected_agents: Schema.Array(
    Schema.Struct({
      site_id: Schema.NullOr(Schema.String).annotate({ description: "Null if the payloads named no registered site" }),
      user_agent: Schema.String.annotate({ examples: ["MyApp/1.0 (headless)"] }),
      count: Schema.Int.annotate({ description: "Of the site's last few hundred rejections", examples: [42] })
    })
  ).annotate({ description: "User agents that this process often rejects as bots" }),
  secret: Schema.Struct({
    source: Schema.Literals(["APP_SECRET", "ENCRYPTION_SECRET_KEY", "database"]).annotate({
      description: "Where the secret for session ids and tokens comes from"
    })
  })
}).annotate({ identifier: "Status", description: "Health of the process that handled the request." })
export type StatusJson = typeof StatusJson.Type

const ClientJson = Schema.Struct({
  peer: Schema.NullOr(Schema.String).annotate({
    description: "The address that opened the connection",
    examples: ["10.0.0.7"]
  }),
  ip: Schema.NullOr(Schema.String).annotate({
    description: "The client IP that an event sent with this request's headers would get",
    examples: ["81.2.69.142"]
  }),
  why: Schema.String.annotate({
    description: "Why the event would get that address and location",
    examples: ["The header `x-forwarded-for` of a trusted proxy names this address."]
  }),
  country: Schema.NullOr(Schema.String).annotate({ description: "ISO 3166-1 alpha-2", examples: ["GB"] }),
  region: Schema.NullOr(Schema.String).annotate({ description: "ISO 3166-2", examples: ["GB-ENG"] }),
  city: Schema.NullOr(Schema.String).annotate({ examples: ["London"] })
}).annotate({ identifier: "Client", description: "The client IP and location that an event would get." })

export class StatusApi extends HttpApiGroup.make("status")
  .add(
    HttpApiEndpoint.get("status", "/status", { success: StatusJson })
      .annotateMerge(requires("read", "status"))
      .annotateMerge(
        endpointDocs(
          "Get the status",
          "Health of the process that handles this request: storage, warehouse, geo database, license."
        )
      ),
    HttpApiEndpoint.get("client", "/client", { success: ClientJson })
      .annotateMerge(requires("read", "client"))
      .annotateMerge(
        endpointDocs(
          "Explain the client's IP and location",
          "The client IP and location that an event sent with this request's headers would get, and why. Use it to check what a proxy forwards. Nothing is stored."
        )
      )
  )
  .middleware(Access)
  .annotateMerge(
    OpenApi.annotations({ title: "Status", description: "Health of the process that handles the request." })
  ) {}
