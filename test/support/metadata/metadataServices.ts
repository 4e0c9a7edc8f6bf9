import { Context, Effect, Layer, type Redacted, References, Scope } from "effect"
import { AppDatabase } from "../../../layers/postgres/client/Database.ts"
import * as PgMetadata from "../../../layers/postgres/metadata/PgMetadata.ts"
import * as PgProperties from "../../../layers/postgres/metadata/PgProperties.ts"
import * as PgPropertyAdmin from "../../../layers/postgres/metadata/PgPropertyAdmin.ts"
import type { Metadata } from "../../../src/ports/Metadata.ts"
import type { Properties } from "../../../src/ports/Properties.ts"
import { PropertyAdmin } from "../../../src/ports/PropertyAdmin.ts"
import { QueryEngine } from "../../../src/ports/QueryEngine.ts"
import { QuestionEngines } from "../../../src/ports/QuestionEngines.ts"
import * as FieldScanner from "../../../src/query/metadata/FieldScanner.ts"
import * as Asking from "../../../src/query/run/Asking.ts"
import type { Environment } from "../../../src/settings/resolve.ts"
import { OTHER_SITE, SITE } from "../../services/fixture.ts"
import { type ControlPlane, controlPlane } from "../postgres/controlPlane.ts"
import { pgWarehouse } from "../postgres/pgWarehouse.ts"
import { freshDatabase } from "../postgres/postgres.ts"
import { fillWithEvents } from "../questions/events.ts"

type Engine = QueryEngine["Service"]

export type MetadataServices =
  | ControlPlane
  | Metadata
  | Properties
  | QuestionEngines
  | Asking.Asking
  | FieldScanner.FieldScanner

/** A database with the events of the contract's fixture, its two sites and their registered properties. */
export const databaseWithEvents = async (): Promise<Redacted.Redacted<string>> => {
  const url = await freshDatabase()
  await fillWithEvents(url)
  await Effect.runPromise(
    Effect.gen(function* () {
      const sql = yield* AppDatabase
      yield* sql.unsafe(
        `INSERT INTO product_analytics_site (id, name, timezone, week_start, currency)
        VALUES ($1::uuid, 'Shop', 'UTC', 'monday', 'EUR'), ($2::uuid, 'Other', 'UTC', 'monday', 'EUR')`,
        [SITE, OTHER_SITE]
      )
      yield* Effect.flatMap(PropertyAdmin, ({ rebuild }) => rebuild)
    }).pipe(
      Effect.provide(
        PgPropertyAdmin.layer.pipe(Layer.provide(pgWarehouse(url)), Layer.provideMerge(controlPlane(url)))
      ),
      Effect.provideService(References.MinimumLogLevel, "Error")
    )
  )
  return url
}

/** The Postgres engine of a database, until the scope closes. */
export const postgresEngine = (url: Redacted.Redacted<string>, scope: Scope.Scope): Promise<Engine> =>
  Effect.runPromise(Effect.map(Layer.build(pgWarehouse(url)), Context.get(QueryEngine)).pipe(Scope.provide(scope)))

/** What one `full` has of metadata, with this engine, until the scope closes. */
export const startMetadata = (
  url: Redacted.Redacted<string>,
  engine: Engine | null,
  scope: Scope.Scope,
  environment: Environment = {}
): Promise<Context.Context<MetadataServices>> => {
  const engines = Layer.succeed(
    QuestionEngines,
    QuestionEngines.of({ usable: Effect.succeed({ primary: engine, fallback: null, why: null }) })
  )
  return Effect.runPromise(
    Layer.build(
      Layer.fresh(
        FieldScanner.layer.pipe(
          Layer.provideMerge(Layer.mergeAll(PgMetadata.layer, PgProperties.layer, engines, Asking.layer)),
          Layer.provideMerge(controlPlane(url, environment))
        )
      )
    ).pipe(Scope.provide(scope), Effect.provideService(References.MinimumLogLevel, "Error"))
  )
}
