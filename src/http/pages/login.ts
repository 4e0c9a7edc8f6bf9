import { Effect } from "effect"
import type { PeopleError } from "../../ports/PeopleError.ts"
import type { SignInError } from "../people/SignIn.ts"
import { SIGN_ON_PATH } from "../shared/links.ts"
import { entered, type PageContext, type PageRequest, secret } from "./context.ts"
import { field, problems } from "./form.ts"
import { type Html, html } from "./html.ts"
import { seeOther } from "./page.ts"
import { signingOutPage } from "./signOut.ts"
import { statusOf } from "./statusOf.ts"

/** Where to go after signing in: a path of this server, or its start page. */
export const nextPath = (context: PageContext, given: string | null): string => {
  // Browsers take a backslash for a slash, and `//host` for another server.
  const isLocal = given !== null && /^\/(?![/\\])[^\\\p{Cc}]*$/u.test(given)
  return isLocal ? given : context.path("/")
}

interface LoginForm {
  readonly email: string
  readonly next: string
  readonly failed: SignInError | PeopleError | null
}

/** A link, since a form that ends at another server would be against the page's own policy. */
const signOnLink = (context: PageContext, next: string): Html | null => {
  const provider = context.singleSignOn.provider()
  if (provider === null) return null
  const href = `${context.path(SIGN_ON_PATH)}?next=${encodeURIComponent(next)}`
  return context.hasPasswords()
    ? html`<p class="or">or</p>
<a class="button second" href="${href}">Sign in with ${provider.name}</a>
`
    : html`<a class="button" href="${href}">Sign in with ${provider.name}</a>`
}

const SIGN_IN_STATUS = { Wrong: 401, NoAdministrator: 401, Off: 403, TooMany: 429 } as const

const passwordFields = (context: PageContext, email: string, next: string): Html => {
  const values = new Map([["email", email]])
  return html`<form method="post" action="${context.path("/login")}">
<input type="hidden" name="next" value="${next}">
${field({ name: "email", label: "Email", type: "email", autocomplete: "username", autofocus: email === "" }, values, [])}
${field({ name: "password", label: "Password", type: "password", autocomplete: "current-password", autofocus: email !== "" }, values, [])}
<button>Sign in</button>
</form>
`
}

const loginForm = (context: PageContext, { email, failed, next }: LoginForm): Response => {
  const canAskAdministrator = failed?._tag !== "SignInError" || failed.reason !== "NoAdministrator"
  const content = html`${problems(failed?.message ?? null)}${
    context.hasPasswords() ? passwordFields(context, email, next) : null
  }${signOnLink(context, next)}${
    context.hasPasswords() && canAskAdministrator
      ? html`<p class="hint">Forgot your password? An administrator can give you a link to set a new one.</p>`
      : null
  }`
  const status =
    failed === null ? 200 : failed._tag === "SignInError" ? SIGN_IN_STATUS[failed.reason] : statusOf(failed)
  const response = context.page("Sign in", content, status)
  if (failed?._tag === "SignInError" && failed.reason === "TooMany") {
    response.headers.set("retry-after", String(failed.retryAfterSeconds))
  }
  return response
}

const signedInPage = (context: PageContext, name: string): Response =>
  context.page(
    "You are signed in",
    html`<p>You are signed in as ${name}.</p>
<a class="button" href="${context.path("/")}">Continue</a>
<form method="post" action="${context.path("/logout")}"><button class="second">Sign out</button></form>`
  )

/** The user whose session the browser has; null without one. */
const currentUser = (context: PageContext, request: PageRequest) => {
  const token = context.browsers.sessionToken(request)
  return token === null ? Effect.succeed(null) : context.sessions.verify(token)
}

/** `/login`: signs in with a password, and leads to the identity provider. */
export const loginPage = Effect.fnUntraced(function* (context: PageContext, request: PageRequest) {
  if (request.method === "GET") {
    const user = yield* currentUser(context, request)
    if (user !== null) return signedInPage(context, user.name)
    return loginForm(context, { email: "", failed: null, next: nextPath(context, request.query.get("next")) })
  }
  const { form } = request
  const email = entered(form, "email")
  const next = nextPath(context, form.get("next"))
  const opened = yield* Effect.result(
    context.signIn.withPassword(email, secret(form, "password"), context.browsers.of(request))
  )
  return opened._tag === "Success"
    ? context.enter(request, opened.success, next)
    : loginForm(context, { email, next, failed: opened.failure })
})

/** `/logout`: ends the session. */
export const logoutPage = Effect.fnUntraced(function* (context: PageContext, request: PageRequest) {
  const { browsers, signIn } = context
  const login = context.path("/login")
  if (request.method === "GET") return seeOther(login)
  const user = yield* currentUser(context, request)
  const url =
    user === null
      ? null
      : yield* signIn.signOut({ id: user.sessionId, owner: user.userId }, browsers.signedOutUrl(request))
  const response = url === null ? seeOther(login) : signingOutPage(context, url)
  response.headers.append("set-cookie", browsers.clearedCookie(request))
  return response
})
