import { Effect, Layer, type Redacted, References, type Scope } from "effect"
import { AppDatabase, DatabaseUrl } from "../../../layers/postgres/client/Database.ts"
import * as Changes from "../../../layers/postgres/control/Changes.ts"
import * as PgAdminKeys from "../../../layers/postgres/control/PgAdminKeys.ts"
import * as PgAppSecret from "../../../layers/postgres/control/PgAppSecret.ts"
import * as PgSettings from "../../../layers/postgres/control/PgSettings.ts"
import * as PgSites from "../../../layers/postgres/control/PgSites.ts"
import type { StartError } from "../../../src/domain/StartError.ts"
import type { AdminKeys } from "../../../src/ports/AdminKeys.ts"
import type { AppSecret } from "../../../src/ports/AppSecret.ts"
import type { Settings } from "../../../src/ports/Settings.ts"
import type { Sites } from "../../../src/ports/Sites.ts"
import type { Environment } from "../../../src/settings/resolve.ts"

export type ControlPlane = AppDatabase | Changes.Changes | Settings | Sites | AdminKeys | AppSecret

/** Everything of the app database that a process uses, except the event writer, with its own connections. */
export const controlPlane = (
  url: Redacted.Redacted<string>,
  environment: Environment = {}
): Layer.Layer<ControlPlane, StartError> =>
  Layer.mergeAll(PgSites.layer, PgAdminKeys.layer, PgAppSecret.layer).pipe(
    Layer.provideMerge(PgSettings.layerWith({ environment, rejectInvalid: true })),
    Layer.provideMerge(Changes.layer),
    Layer.provideMerge(AppDatabase.layer),
    Layer.provide(Layer.succeed(DatabaseUrl, { url, embedded: true })),
    Layer.fresh
  )

/** The services of one process, until the scope closes. */
export const startProcess = (url: Redacted.Redacted<string>, environment: Environment = {}) =>
  Layer.build(controlPlane(url, environment))

/** Runs a test's effect in a scope of its own, without logging the warnings that the test provokes. */
export const run = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>): Promise<A> =>
  Effect.runPromise(Effect.scoped(effect).pipe(Effect.provideService(References.MinimumLogLevel, "Error")))
