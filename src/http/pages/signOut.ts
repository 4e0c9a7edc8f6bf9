import { Effect } from "effect"
import type { PageContext, PageRequest } from "./context.ts"
import { html } from "./html.ts"
import { seeOther } from "./page.ts"

const providerName = (context: PageContext): string => context.singleSignOn.provider()?.name ?? "the identity provider"

/**
 * Sends a browser whose session has ended on to the identity provider. A page, not a redirect: browsers that submit a form of this server
 * do not follow redirects to another one, because of the pages' own policy.
 */
export const signingOutPage = (context: PageContext, url: string): Response => {
  const response = context.page(
    "You are signed out",
    html`<p>You are signed out of ${context.instance()}, and about to be signed out of ${providerName(context)}, too.</p>
<a class="button" href="${url}">Continue</a>`
  )
  response.headers.set("refresh", `0; url=${url}`)
  return response
}

/** `/auth/sso/signed-out`: where the identity provider sends a browser that has signed out there. */
export const signedOutPage = Effect.fnUntraced(function* (context: PageContext, request: PageRequest) {
  const login = context.path("/login")
  const state = request.query.get("state")
  // Otherwise, a link to this page could claim what has not happened.
  if (state === null || !(yield* context.singleSignOn.isSignOut(state))) return seeOther(login)
  return context.page(
    "You are signed out",
    html`<p>You are signed out of ${context.instance()} and ${providerName(context)}.</p>
<a class="button" href="${login}">Sign in again</a>`
  )
})
