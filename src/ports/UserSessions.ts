import { Context, type Effect } from "effect"
import type { GroupId, UserId } from "../domain/people.ts"
import type { PeopleError } from "./PeopleError.ts"

/** A session as listed, without its token. */
export interface UserSession {
  readonly id: string
  readonly userId: UserId
  /** The browser's, cut to a few hundred characters. */
  readonly userAgent: string | null
  readonly createdAt: Date
  /** Exact to a minute. */
  readonly lastSeenAt: Date
  readonly expiresAt: Date
}

/** Whom a session belongs to. */
export interface SessionUser {
  readonly sessionId: string
  readonly userId: UserId
  readonly name: string
  readonly groups: ReadonlyArray<GroupId>
}

export interface SessionOpen {
  readonly userId: UserId
  readonly userAgent: string | null
  /** The token of the session that the browser has so far, which ends. */
  readonly replaces: string | null
  /** How the user proved who they are, for the audit log. */
  readonly method: "password" | "single sign-on" | "setup" | "link"
  /** What single sign-on needs to end the session at the provider, too; kept as long as the session. */
  readonly providerSession?: string | null
}

/**
 * The sessions of signed-in users. A token is 32 random bytes; its SHA-256 is stored. A session ends when it has not been used for
 * `SESSION_IDLE_MINUTES`, at the latest after `SESSION_MAX_MINUTES`.
 */
export class UserSessions extends Context.Service<
  UserSessions,
  {
    /** The result is the only place where the token appears. A user has at most 50 sessions: the oldest end. */
    readonly open: (
      session: SessionOpen
    ) => Effect.Effect<{ readonly token: string; readonly session: UserSession }, PeopleError>
    /** Null for an unknown, expired or ended session, and for one of a disabled user. Takes up to 5 s to notice. */
    readonly verify: (token: string) => Effect.Effect<SessionUser | null, PeopleError>
    /** The latest first. */
    readonly list: (user: UserId) => Effect.Effect<ReadonlyArray<UserSession>, PeopleError>
    /** Ends a session; `owner` is null to end anybody's. The result is the `providerSession` with which it was opened. */
    readonly end: (id: string, owner: UserId | null) => Effect.Effect<string | null, PeopleError>
    /** Ends all sessions of a user. */
    readonly endAll: (user: UserId) => Effect.Effect<void, PeopleError>
  }
>()("footfall/ports/UserSessions") {}
