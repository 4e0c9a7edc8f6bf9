import { Effect, Layer, type Redacted, References, type Scope } from "effect"
import * as OidcSignOn from "../../../layers/oidc/OidcSignOn.ts"
import { AppDatabase, DatabaseUrl } from "../../../layers/postgres/client/Database.ts"
import * as Changes from "../../../layers/postgres/control/Changes.ts"
import * as PgAppSecret from "../../../layers/postgres/control/PgAppSecret.ts"
import * as PgSettings from "../../../layers/postgres/control/PgSettings.ts"
import * as PgSites from "../../../layers/postgres/control/PgSites.ts"
import { people } from "../../../src/app/people.ts"
import type { StartError } from "../../../src/domain/StartError.ts"
import type { AdminKeys } from "../../../src/ports/AdminKeys.ts"
import type { AppSecret } from "../../../src/ports/AppSecret.ts"
import type { AuditLog } from "../../../src/ports/AuditLog.ts"
import type { Groups } from "../../../src/ports/Groups.ts"
import type { Passwords } from "../../../src/ports/Passwords.ts"
import type { Settings } from "../../../src/ports/Settings.ts"
import type { Setup } from "../../../src/ports/Setup.ts"
import type { SingleSignOn } from "../../../src/ports/SingleSignOn.ts"
import type { Sites } from "../../../src/ports/Sites.ts"
import type { UserSessions } from "../../../src/ports/UserSessions.ts"
import type { Users } from "../../../src/ports/Users.ts"
import type { Environment } from "../../../src/settings/resolve.ts"

export type ControlPlane =
  | AppDatabase
  | Changes.Changes
  | Settings
  | Sites
  | AppSecret
  | AdminKeys
  | AuditLog
  | Groups
  | Passwords
  | Setup
  | SingleSignOn
  | UserSessions
  | Users

/** Everything of the app database that a process uses, except the event writer, with its own connections. */
export const controlPlane = (
  url: Redacted.Redacted<string>,
  environment: Environment = {}
): Layer.Layer<ControlPlane, StartError> =>
  Layer.mergeAll(PgSites.layer, people, OidcSignOn.layer.pipe(Layer.provideMerge(PgAppSecret.layer))).pipe(
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
