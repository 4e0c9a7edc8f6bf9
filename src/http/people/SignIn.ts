import { Context, Effect, Layer, type Redacted, Schema } from "effect"
import { ANONYMOUS } from "../../domain/Principal.ts"
import { howToCreateAdministrator, type UserId } from "../../domain/people.ts"
import { AuditLog } from "../../ports/AuditLog.ts"
import { CurrentPrincipal } from "../../ports/CurrentPrincipal.ts"
import { LoginLimits } from "../../ports/LoginLimits.ts"
import { Passwords } from "../../ports/Passwords.ts"
import { PeopleError, userNotFound } from "../../ports/PeopleError.ts"
import { Settings } from "../../ports/Settings.ts"
import { Setup, type SetupValues } from "../../ports/Setup.ts"
import { SingleSignOn } from "../../ports/SingleSignOn.ts"
import { type SessionOpen, type UserSession, UserSessions } from "../../ports/UserSessions.ts"
import { type Credentials, countAdministrators, Users } from "../../ports/Users.ts"
import { isPasswordLoginOn } from "../../settings/passwordLogin.ts"
import { OIDC_NAME } from "../../settings/settings.ts"

/** What those see who would sign in with a password where only single sign-on works. */
export const withoutPasswords = (provider: string): string =>
  `Signing in with passwords is turned off here. Sign in with ${provider}.`

/** What a request says about the browser that sent it. */
export interface Browser {
  /** Used to limit attempts, and neither stored nor logged. */
  readonly address: string
  readonly userAgent: string | null
  /** The token of the session that it has so far. */
  readonly session: string | null
}

/** A user who has just signed in, with the token for the cookie. */
export interface SignedIn {
  readonly token: string
  readonly session: UserSession
}

/**
 * - `Wrong`: no active user has this email and password.
 * - `NoAdministrator`: neither, on an instance without an administrator to ask.
 * - `Off`: signing in with passwords is turned off.
 * - `TooMany`: somebody tries too often; `retryAfterSeconds` says when to try again.
 */
export class SignInError extends Schema.TaggedError<SignInError>()("SignInError", {
  reason: Schema.Literals(["Wrong", "NoAdministrator", "Off", "TooMany"]),
  message: Schema.String,
  retryAfterSeconds: Schema.Int
}) {}

const wrong = new SignInError({
  reason: "Wrong",
  message: "There is no user with this email and password.",
  retryAfterSeconds: 0
})

const withoutAdministrator = (isSetupOpen: boolean) =>
  new SignInError({
    reason: "NoAdministrator",
    message: `${wrong.message} This instance has no administrator. ${howToCreateAdministrator(isSetupOpen)}`,
    retryAfterSeconds: 0
  })

const tooMany = (seconds: number) =>
  new SignInError({
    reason: "TooMany",
    message: `Too many attempts. Try again in ${seconds} ${seconds === 1 ? "second" : "seconds"}.`,
    retryAfterSeconds: seconds
  })

const off = (provider: string) =>
  new SignInError({ reason: "Off", message: withoutPasswords(provider), retryAfterSeconds: 0 })

const wrongPassword = new PeopleError({
  reason: "Invalid",
  message: "This is not your password.",
  issues: [{ field: "old_password", message: "This is not your password." }]
})

/** Signs users in and out: with a password, through a link, by setting up the instance, or as the user that somebody else vouches for. */
export class SignIn extends Context.Service<
  SignIn,
  {
    /** Takes as long for an unknown user as for a wrong password. */
    readonly withPassword: (
      email: string,
      password: Redacted.Redacted<string>,
      browser: Browser
    ) => Effect.Effect<SignedIn, SignInError | PeopleError>
    readonly withLink: (
      token: string,
      password: Redacted.Redacted<string>,
      browser: Browser
    ) => Effect.Effect<SignedIn, PeopleError>
    readonly withSetup: (token: string, values: SetupValues, browser: Browser) => Effect.Effect<SignedIn, PeopleError>
    /** For a user whom an identity provider vouches for. */
    readonly asUser: (
      id: UserId,
      providerSession: string | null,
      browser: Browser
    ) => Effect.Effect<SignedIn, PeopleError>
    /**
     * Ends a session of a user, if it has not ended yet. The result is where the browser goes to sign out at the identity provider, too,
     * which then sends it to `back`; null if it need not.
     */
    readonly signOut: (
      session: { readonly id: string; readonly owner: UserId },
      back: string
    ) => Effect.Effect<string | null, PeopleError>
    /** Ends the user's other sessions. */
    readonly changePassword: (
      owner: { readonly id: UserId; readonly session: string },
      passwords: { readonly old: Redacted.Redacted<string>; readonly new: Redacted.Redacted<string> },
      browser: Browser
    ) => Effect.Effect<void, SignInError | PeopleError>
  }
>()("footfall/http/people/SignIn") {
  static readonly layer = Layer.effect(
    SignIn,
    Effect.gen(function* () {
      const users = yield* Users
      const sessions = yield* UserSessions
      const passwords = yield* Passwords
      const setup = yield* Setup
      const limits = yield* LoginLimits
      const audit = yield* AuditLog
      const singleSignOn = yield* SingleSignOn
      const { get } = yield* Settings

      const open = (userId: UserId, how: Pick<SessionOpen, "method" | "providerSession">, browser: Browser) =>
        sessions.open({ ...how, userId, userAgent: browser.userAgent, replaces: browser.session })

      const assertAllowed = (account: string, { address }: Browser) =>
        isPasswordLoginOn(get)
          ? Effect.flatMap(limits.attempt(account, address), (seconds) =>
              seconds === 0 ? Effect.void : Effect.fail(tooMany(seconds))
            )
          : Effect.fail(off(get(OIDC_NAME)))

      /** Only of known users, so that the log cannot be filled with invented ones. */
      const recordFailure = ({ id, name }: Credentials) =>
        Effect.provideService(
          audit.record({ action: "session.fail", targetKind: "user", targetId: String(id), targetName: name }),
          CurrentPrincipal,
          ANONYMOUS
        )

      /** What a failed sign-in is answered with, whether the user exists or not. */
      const refusal = Effect.gen(function* () {
        const total = yield* countAdministrators(users)
        return total > 0 ? wrong : withoutAdministrator(yield* setup.isOpen)
      })

      return SignIn.of({
        withPassword: Effect.fn("SignIn.withPassword")(function* (email, password, browser) {
          yield* assertAllowed(email, browser)
          const found = yield* users.credentials(email)
          const isRight = yield* passwords.verify(password, found?.passwordHash ?? null)
          if (found === null) return yield* yield* refusal
          if (!isRight || !found.isActive) {
            yield* recordFailure(found)
            return yield* yield* refusal
          }
          yield* limits.succeeded(email, browser.address)
          return yield* open(found.id, { method: "password" }, browser)
        }),
        withLink: Effect.fn("SignIn.withLink")(function* (token, password, browser) {
          if (!isPasswordLoginOn(get)) {
            return yield* new PeopleError({ reason: "Denied", message: withoutPasswords(get(OIDC_NAME)) })
          }
          const { id } = yield* users.followLink(token, password)
          return yield* open(id, { method: "link" }, browser)
        }),
        withSetup: Effect.fn("SignIn.withSetup")(function* (token, values, browser) {
          const { id } = yield* setup.complete(token, values)
          return yield* open(id, { method: "setup" }, browser)
        }),
        asUser: (id, providerSession, browser) => open(id, { method: "single sign-on", providerSession }, browser),
        signOut: Effect.fn("SignIn.signOut")(function* ({ id, owner }, back) {
          const providerSession = yield* Effect.catchIf(
            sessions.end(id, owner),
            // Another request has just ended it.
            ({ reason }) => reason === "NotFound",
            () => Effect.succeed(null)
          )
          return providerSession === null ? null : yield* singleSignOn.signOutUrl(providerSession, back)
        }),
        changePassword: Effect.fn("SignIn.changePassword")(function* ({ id, session }, given, browser) {
          // A stolen session must not serve to guess the password.
          const account = `user ${id}`
          yield* assertAllowed(account, browser)
          const found = yield* users.credentialsOf(id)
          if (found === null) return yield* userNotFound(id)
          if (!(yield* passwords.verify(given.old, found.passwordHash))) return yield* wrongPassword
          yield* limits.succeeded(account, browser.address)
          yield* users.setPassword(id, given.new, session)
        })
      })
    })
  )
}
