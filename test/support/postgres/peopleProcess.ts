import { Context, Effect, Redacted, type Scope } from "effect"
import { LOCAL_COMMAND } from "../../../src/domain/Principal.ts"
import type { StartError } from "../../../src/domain/StartError.ts"
import { AdminKeys } from "../../../src/ports/AdminKeys.ts"
import { AuditLog } from "../../../src/ports/AuditLog.ts"
import { CurrentPrincipal } from "../../../src/ports/CurrentPrincipal.ts"
import { Groups } from "../../../src/ports/Groups.ts"
import { Setup } from "../../../src/ports/Setup.ts"
import { Sites } from "../../../src/ports/Sites.ts"
import { UserSessions } from "../../../src/ports/UserSessions.ts"
import { Users } from "../../../src/ports/Users.ts"
import type { Environment } from "../../../src/settings/resolve.ts"
import { run, startProcess } from "./controlPlane.ts"

/** A password that is hard to guess, and another one. */
export const PASSWORD = Redacted.make("correct horse battery")
export const OTHER_PASSWORD = Redacted.make("a staple of another kind")

/** The services for people of one process on a database. */
export const peopleOf = (url: Redacted.Redacted<string>, environment: Environment = {}) =>
  Effect.map(startProcess(url, environment), (context) => ({
    users: Context.get(context, Users),
    groups: Context.get(context, Groups),
    sessions: Context.get(context, UserSessions),
    setup: Context.get(context, Setup),
    audit: Context.get(context, AuditLog),
    keys: Context.get(context, AdminKeys),
    sites: Context.get(context, Sites)
  }))

export type People = Effect.Success<ReturnType<typeof peopleOf>>

/** Runs a test as somebody on the command line. */
export const runLocally = <A, E>(effect: Effect.Effect<A, E | StartError, Scope.Scope>): Promise<A> =>
  run(Effect.provideService(effect, CurrentPrincipal, LOCAL_COMMAND))
