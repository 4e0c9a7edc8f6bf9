import { Effect, Redacted } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { VERSION } from "../../../lib/version.ts"
import { Policy } from "../../../pipeline/Policy.ts"
import { FeatureGate } from "../../../ports/FeatureGate.ts"
import type { PeopleError } from "../../../ports/PeopleError.ts"
import { Settings } from "../../../ports/Settings.ts"
import { Setup } from "../../../ports/Setup.ts"
import { SingleSignOn } from "../../../ports/SingleSignOn.ts"
import { UserSessions } from "../../../ports/UserSessions.ts"
import { Users } from "../../../ports/Users.ts"
import { isPasswordLoginOn } from "../../../settings/passwordLogin.ts"
import { BASE_PATH, INSTANCE_NAME, INSTANCE_TIMEZONE } from "../../../settings/settings.ts"
import { Browsers } from "../../people/browser.ts"
import { type SignedIn, SignIn } from "../../people/SignIn.ts"
import { sessionJson } from "../../shared/json/user.ts"
import { SIGN_ON_PATH } from "../../shared/links.ts"
import { AdminApi } from "../AdminApi.ts"
import { CurrentPrincipal } from "../access.ts"
import { changeProblem, readProblem, unavailable } from "../peopleProblem.ts"
import { Forbidden, type ServiceUnavailable, type UnprocessableContent } from "../problems.ts"
import { assertNotCrossSite, browserRequest, withHeader } from "../server/browserRequest.ts"
import { signInProblem } from "../signInProblem.ts"

/** A link's problem: it is not valid, or the password is not. */
const linkProblem = (error: PeopleError): Forbidden | UnprocessableContent | ServiceUnavailable => {
  const problem = changeProblem(error)
  switch (problem._tag) {
    case "NotFound":
    case "Conflict":
      return new Forbidden({ detail: error.message })
    default:
      return problem
  }
}

export const SessionHandlers = HttpApiBuilder.group(
  AdminApi,
  "session",
  Effect.fn(function* (handlers) {
    const signIn = yield* SignIn
    const sessions = yield* UserSessions
    const users = yield* Users
    const setup = yield* Setup
    const gate = yield* FeatureGate
    const singleSignOn = yield* SingleSignOn
    const settings = yield* Settings
    const browsers = new Browsers(yield* Policy, settings)

    /** Gives the browser the session's cookie. */
    const signedIn = Effect.fnUntraced(function* ({ session, token }: SignedIn) {
      yield* withHeader("set-cookie", browsers.sessionCookie(yield* browserRequest, token))
      return { id: session.id }
    })

    return handlers.handleAll({
      login: Effect.fnUntraced(function* ({ payload }) {
        const request = yield* browserRequest
        yield* assertNotCrossSite(browsers, request)
        const opened = yield* signIn
          .withPassword(payload.username, Redacted.make(payload.password), browsers.of(request))
          .pipe(
            Effect.catchTags({
              SignInError: signInProblem,
              PeopleError: (error) => Effect.fail(unavailable(error))
            })
          )
        return yield* signedIn(opened)
      }),
      logout: Effect.fnUntraced(function* () {
        const { sessionId, userId } = yield* CurrentPrincipal
        const request = yield* browserRequest
        yield* withHeader("set-cookie", browsers.clearedCookie(request))
        // Only a person may sign out, who has both.
        if (sessionId === null || userId === null) return { sign_out_url: null }
        const url = yield* signIn.signOut({ id: sessionId, owner: userId }, browsers.signedOutUrl(request))
        return { sign_out_url: url }
      }, Effect.mapError(unavailable)),
      list: Effect.fnUntraced(function* () {
        const { sessionId, userId } = yield* CurrentPrincipal
        if (userId === null) return []
        const found = yield* Effect.mapError(sessions.list(userId), unavailable)
        return found.map((session) => sessionJson(session, sessionId))
      }),
      end: Effect.fnUntraced(function* ({ params }) {
        const { isAdmin, userId } = yield* CurrentPrincipal
        yield* Effect.mapError(sessions.end(params.id, isAdmin ? null : userId), readProblem)
        return { id: params.id, ended: true as const }
      }),
      link: Effect.fnUntraced(function* ({ query }) {
        const owner = isPasswordLoginOn(settings.get)
          ? yield* Effect.mapError(users.linkOwner(query.token), unavailable)
          : null
        return { valid: owner !== null, kind: owner?.kind ?? null, email: owner?.email ?? null }
      }),
      reset: Effect.fnUntraced(
        function* ({ payload }) {
          const request = yield* browserRequest
          yield* assertNotCrossSite(browsers, request)
          const opened = yield* signIn.withLink(payload.token, Redacted.make(payload.password), browsers.of(request))
          return yield* signedIn(opened)
        },
        Effect.catchTag("PeopleError", (error) => Effect.fail(linkProblem(error)))
      ),
      properties: Effect.fnUntraced(function* () {
        const state = gate.state()
        const provider = singleSignOn.provider()
        return {
          version: VERSION,
          instance_name: settings.get(INSTANCE_NAME),
          instance_timezone: settings.get(INSTANCE_TIMEZONE),
          has_user_setup: !(yield* Effect.mapError(setup.isOpen, unavailable)),
          enable_password_login: isPasswordLoginOn(settings.get),
          single_sign_on:
            provider === null ? null : { ...provider, path: `${settings.get(BASE_PATH) ?? ""}${SIGN_ON_PATH}` },
          license: ({ Open: "open", Licensed: "licensed", Off: "off" } as const)[state._tag]
        }
      })
    })
  })
)
