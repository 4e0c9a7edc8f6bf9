import { Context, Effect, type Redacted } from "effect"
import { ADMINISTRATORS, type GroupId, type User, type UserId } from "../domain/people.ts"
import type { UserValues } from "../domain/userValues.ts"
import type { PeopleError } from "./PeopleError.ts"

export interface UserCreate extends UserValues {
  readonly email: string
  readonly name: string
  /** Without one, the user sets a password through an invitation. */
  readonly password?: Redacted.Redacted<string>
  /** Groups in addition to All users. */
  readonly groups?: ReadonlyArray<GroupId>
}

/** A change of a user: absent keys keep their values. */
export interface UserUpdate extends UserValues {
  /** All groups that the user belongs to; All users may be missing. */
  readonly groups?: ReadonlyArray<GroupId>
}

export interface UserListOptions {
  readonly status: "active" | "deactivated" | "all"
  /** Part of the name or email, in any case. */
  readonly query?: string
  readonly group?: GroupId
  readonly limit: number
  readonly offset: number
}

/** A link with which somebody sets a password, once. The token is shown only here; its SHA-256 is stored. */
export interface UserLink {
  readonly kind: "invitation" | "reset"
  readonly token: string
  readonly expiresAt: Date
}

/** Whom a link is for. */
export interface LinkOwner {
  readonly kind: "invitation" | "reset"
  readonly email: string
  readonly name: string
}

/** What signing in with a password needs to know. */
export interface Credentials {
  readonly id: UserId
  readonly name: string
  readonly isActive: boolean
  readonly passwordHash: string | null
}

/** A user as an identity provider describes it. */
export interface Identity {
  readonly issuer: string
  readonly subject: string
  readonly email: string | null
  /** Whether the provider has checked that the email belongs to the user. */
  readonly isEmailVerified: boolean
  readonly name: string | null
  /** Names of groups that the provider manages, with whether the user belongs to each; null if it manages no groups. */
  readonly groups: ReadonlyMap<string, boolean> | null
}

/**
 * The people who can sign in. Every change is recorded in the audit log with the current principal, in the same transaction. A change takes
 * effect in every process within 5 s.
 */
export class Users extends Context.Service<
  Users,
  {
    readonly list: (
      options: UserListOptions
    ) => Effect.Effect<{ readonly users: ReadonlyArray<User>; readonly total: number }, PeopleError>
    readonly get: (id: UserId) => Effect.Effect<User, PeopleError>
    /** Creating the first administrator closes setup. */
    readonly create: (user: UserCreate) => Effect.Effect<User, PeopleError>
    readonly update: (id: UserId, change: UserUpdate) => Effect.Effect<User, PeopleError>
    /** Ends the user's sessions and links, too. */
    readonly disable: (id: UserId) => Effect.Effect<User, PeopleError>
    readonly enable: (id: UserId) => Effect.Effect<User, PeopleError>
    /**
     * Deletes a user for good, with their sessions and links. What they made stays, without their name; the audit log keeps only their id.
     * Processes that still know their session for some seconds may write their name again, which is removed within an hour.
     */
    readonly remove: (id: UserId) => Effect.Effect<void, PeopleError>
    /**
     * A new link in place of earlier ones: an invitation for those who never signed in, otherwise a reset of the password. Fails with
     * `Conflict` if passwords are turned off.
     */
    readonly createLink: (id: UserId) => Effect.Effect<UserLink, PeopleError>
    /** Whom a link is for; null if it is unknown, used or expired. */
    readonly linkOwner: (token: string) => Effect.Effect<LinkOwner | null, PeopleError>
    /** Sets the password of a link's user, ends all their sessions, and uses up the link. */
    readonly followLink: (token: string, password: Redacted.Redacted<string>) => Effect.Effect<User, PeopleError>
    /** Null if there is no such user. */
    readonly credentials: (email: string) => Effect.Effect<Credentials | null, PeopleError>
    /** The same by id. */
    readonly credentialsOf: (id: UserId) => Effect.Effect<Credentials | null, PeopleError>
    /** Ends all sessions but `keptSession`. */
    readonly setPassword: (
      id: UserId,
      password: Redacted.Redacted<string>,
      keptSession: string | null
    ) => Effect.Effect<void, PeopleError>
    /**
     * The user of an identity: the one that signed in with it before, otherwise the one with its verified email, otherwise a new one if
     * `provision` is set. Fails with `Denied` and the reason if the identity may not sign in.
     */
    readonly ofIdentity: (identity: Identity, provision: boolean) => Effect.Effect<User, PeopleError>
  }
>()("footfall/ports/Users") {}

/** The number of active administrators. */
export const countAdministrators = (users: Users["Service"]): Effect.Effect<number, PeopleError> =>
  Effect.map(users.list({ status: "active", group: ADMINISTRATORS, limit: 1, offset: 0 }), ({ total }) => total)
