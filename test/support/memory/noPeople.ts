import { Effect, Layer } from "effect"
import { combineAccess } from "../../../src/domain/people.ts"
import { AuditLog } from "../../../src/ports/AuditLog.ts"
import { Groups } from "../../../src/ports/Groups.ts"
import { LocalCommands } from "../../../src/ports/LocalCommands.ts"
import { LoginLimits } from "../../../src/ports/LoginLimits.ts"
import { Passwords } from "../../../src/ports/Passwords.ts"
import { peopleUnavailable } from "../../../src/ports/PeopleError.ts"
import { Setup } from "../../../src/ports/Setup.ts"
import { SingleSignOn, SingleSignOnError } from "../../../src/ports/SingleSignOn.ts"
import { UserSessions } from "../../../src/ports/UserSessions.ts"
import { Users } from "../../../src/ports/Users.ts"

const fail = Effect.fail(peopleUnavailable("These tests have no users."))
const failing = () => fail

/** An instance that is used only with API keys, for tests that need no users. */
export const layer = Layer.mergeAll(
  Layer.succeed(Groups, {
    accessOf: (ids) => combineAccess(new Map(), ids),
    list: fail,
    get: failing,
    create: failing,
    update: failing,
    remove: failing,
    members: failing,
    member: failing,
    addMember: failing,
    removeMember: failing,
    graph: fail,
    setGraph: failing
  }),
  Layer.succeed(Users, {
    list: failing,
    get: failing,
    create: failing,
    update: failing,
    disable: failing,
    enable: failing,
    remove: failing,
    createLink: failing,
    linkOwner: failing,
    followLink: failing,
    credentials: failing,
    credentialsOf: failing,
    setPassword: failing,
    ofIdentity: failing
  }),
  Layer.succeed(UserSessions, {
    open: failing,
    verify: failing,
    list: failing,
    end: failing,
    endAll: failing
  }),
  Layer.succeed(Setup, { isOpen: fail, createToken: fail, isValid: failing, complete: failing }),
  Layer.succeed(AuditLog, { list: failing, record: failing }),
  Layer.succeed(Passwords, { hash: failing, verify: failing }),
  Layer.succeed(LoginLimits, { attempt: () => Effect.succeed(0), succeeded: () => Effect.void }),
  Layer.succeed(SingleSignOn, {
    provider: () => null,
    begin: () => Effect.fail(new SingleSignOnError({ reason: "Off", message: "These tests have no provider." })),
    complete: () => Effect.fail(new SingleSignOnError({ reason: "Off", message: "These tests have no provider." })),
    signOutUrl: () => Effect.succeed(null),
    isSignOut: () => Effect.succeed(false)
  }),
  Layer.succeed(LocalCommands, { accepts: () => Effect.succeed(false) })
)
