import { Effect } from "effect"
import type { PeopleError } from "../../ports/PeopleError.ts"
import type { SingleSignOnError } from "../../ports/SingleSignOn.ts"
import { SIGN_ON_CALLBACK_PATH, SIGN_ON_PATH } from "../shared/links.ts"
import type { PageContext, PageRequest } from "./context.ts"
import { html, message } from "./html.ts"
import { nextPath } from "./login.ts"
import { seeOther } from "./page.ts"
import { statusOf } from "./statusOf.ts"

const STATUSES: Readonly<Record<SingleSignOnError["reason"], number>> = {
  Off: 404,
  Unreachable: 503,
  Misconfigured: 502,
  Refused: 403,
  Invalid: 400
}

/** What happened, and the ways on: another attempt, or the password if there are any. */
const failedPage = (context: PageContext, error: SingleSignOnError | PeopleError): Response => {
  const status = error._tag === "SingleSignOnError" ? STATUSES[error.reason] : statusOf(error)
  const canRetry = error._tag === "PeopleError" || error.reason !== "Off"
  return context.page(
    "Signing in did not work",
    html`<p>${message(error.message)}</p>
${canRetry ? html`<a class="button" href="${context.path(SIGN_ON_PATH)}">Try again</a>\n` : null}${context.hasPasswords() ? html`<a class="button second" href="${context.path("/login")}">Sign in with a password</a>` : null}`,
    status
  )
}

const redirectUri = (context: PageContext, request: PageRequest): string =>
  `${context.browsers.serverUrl(request)}${SIGN_ON_CALLBACK_PATH}`

/** `/auth/sso`: sends the browser to the identity provider. */
export const signOnPage = Effect.fnUntraced(function* (context: PageContext, request: PageRequest) {
  const next = nextPath(context, request.query.get("next"))
  const begun = yield* Effect.result(context.singleSignOn.begin(redirectUri(context, request), next))
  if (begun._tag === "Failure") return failedPage(context, begun.failure)
  const { sealed, url } = begun.success
  return seeOther(url, [["set-cookie", context.browsers.signOnCookie(request, sealed)]])
})

/** `/auth/sso/callback`: where the identity provider sends the browser back to. */
export const signOnCallbackPage = Effect.fnUntraced(function* (context: PageContext, request: PageRequest) {
  const { browsers, signIn, singleSignOn, users } = context
  const signedOn = Effect.gen(function* () {
    const attempt = browsers.signOnAttempt(request)
    const { identity, next, providerSession, provision } = yield* singleSignOn.complete(
      redirectUri(context, request),
      request.query,
      attempt
    )
    const user = yield* users.ofIdentity(identity, provision)
    return { next, opened: yield* signIn.asUser(user.id, providerSession, browsers.of(request)) }
  })
  const outcome = yield* Effect.result(signedOn)
  const response =
    outcome._tag === "Success"
      ? context.enter(request, outcome.success.opened, outcome.success.next)
      : failedPage(context, outcome.failure)
  // An attempt serves once.
  response.headers.append("set-cookie", browsers.signOnCookie(request, null))
  return response
})
