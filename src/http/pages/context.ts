import { Effect, Redacted } from "effect"
import { Policy } from "../../pipeline/Policy.ts"
import { Settings } from "../../ports/Settings.ts"
import { Setup } from "../../ports/Setup.ts"
import { SingleSignOn } from "../../ports/SingleSignOn.ts"
import { UserSessions } from "../../ports/UserSessions.ts"
import { Users } from "../../ports/Users.ts"
import { isPasswordLoginOn } from "../../settings/passwordLogin.ts"
import { BASE_PATH, INSTANCE_NAME } from "../../settings/settings.ts"
import { type BrowserRequest, Browsers } from "../people/browser.ts"
import { type SignedIn, SignIn } from "../people/SignIn.ts"
import { type Html, html, message } from "./html.ts"
import { pageResponse, seeOther } from "./page.ts"

/** A request for a page. */
export interface PageRequest extends BrowserRequest {
  readonly method: "GET" | "POST"
  readonly query: URLSearchParams
  /** The fields of a submitted form. */
  readonly form: URLSearchParams
}

/** What the pages share. */
export const makePageContext = Effect.gen(function* () {
  const settings = yield* Settings
  const browsers = new Browsers(yield* Policy, settings)
  const base = settings.get(BASE_PATH) ?? ""
  const instance = () => settings.get(INSTANCE_NAME)
  return {
    settings,
    browsers,
    signIn: yield* SignIn,
    users: yield* Users,
    setup: yield* Setup,
    sessions: yield* UserSessions,
    singleSignOn: yield* SingleSignOn,
    /** The address of a page of this server. */
    path: (path: string) => `${base}${path}`,
    instance,
    page: (title: string, content: Html, status = 200) =>
      pageResponse({ title, content, status, instance: instance() }),
    /** Whether users may sign in with passwords. */
    hasPasswords: () => isPasswordLoginOn(settings.get),
    /** A page that says only something. */
    message: (title: string, text: string, status: number) =>
      pageResponse({
        title,
        status,
        instance: instance(),
        content: html`<p>${message(text)}</p>
<p><a href="${base}/login">Go to the sign-in page</a></p>`
      }),
    /** Gives the browser its session and sends it on. */
    enter: (request: PageRequest, { token }: SignedIn, next: string) =>
      seeOther(next, [["set-cookie", browsers.sessionCookie(request, token)]])
  }
})

export type PageContext = Effect.Success<typeof makePageContext>

/** A field of a form; empty if it is missing. */
export const entered = (form: URLSearchParams, name: string): string => form.get(name) ?? ""

export const secret = (form: URLSearchParams, name: string): Redacted.Redacted<string> =>
  Redacted.make(entered(form, name))
