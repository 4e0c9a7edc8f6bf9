import { Context, Effect, Layer } from "effect"
import type { PeopleError } from "../../ports/PeopleError.ts"
import { LINK_PATHS, SETUP_PATH, SIGN_ON_CALLBACK_PATH, SIGN_ON_PATH, SIGNED_OUT_PATH } from "../shared/links.ts"
import { REQUEST_ID_HEADER } from "../shared/requestId.ts"
import { makePageContext, type PageContext, type PageRequest } from "./context.ts"
import { loginPage, logoutPage } from "./login.ts"
import { setPasswordPage } from "./setPassword.ts"
import { setupPage } from "./setup.ts"
import { signOnCallbackPage, signOnPage } from "./signOn.ts"
import { signedOutPage } from "./signOut.ts"
import { statusOf } from "./statusOf.ts"

type RenderPage = (context: PageContext, request: PageRequest) => Effect.Effect<Response, PeopleError>

/** The pages by their path. */
const PAGES: ReadonlyMap<string, RenderPage> = new Map<string, RenderPage>([
  [SETUP_PATH, setupPage],
  ["/login", loginPage],
  ["/logout", logoutPage],
  [SIGN_ON_PATH, signOnPage],
  [SIGN_ON_CALLBACK_PATH, signOnCallbackPage],
  [SIGNED_OUT_PATH, signedOutPage],
  [LINK_PATHS.invitation, setPasswordPage],
  [LINK_PATHS.reset, setPasswordPage]
])

const FORM = "application/x-www-form-urlencoded"
const SUPPORTED = "GET, HEAD, POST"

/** Plain pages for signing in, which need no scripts. */
export class Pages extends Context.Service<
  Pages,
  {
    /** The response for a path below `BASE_PATH`; null if no page is there. */
    readonly respond: (request: Request, peer: string | null) => Promise<Response> | null
  }
>()("footfall/http/pages/Pages") {
  static readonly layer = Layer.effect(
    Pages,
    Effect.gen(function* () {
      const context = yield* makePageContext
      const services = yield* Effect.context<never>()
      const run = Effect.runPromiseWith(services)

      /** Why a form is not accepted; null if it is. */
      const rejection = (request: PageRequest): Response | null => {
        if (context.browsers.isCrossSite(request)) {
          return context.message(
            "Not possible from there",
            "The browser says that this form is on a page of another site.",
            403
          )
        }
        const type = request.headers.get("content-type")?.split(";", 1)[0]?.trim().toLowerCase()
        return type === FORM ? null : context.message("Not a form", `Send the fields as ${FORM}.`, 415)
      }

      const respond = (request: Request, peer: string | null, render: RenderPage) =>
        Effect.gen(function* () {
          const { headers, method } = request
          if (method !== "GET" && method !== "HEAD" && method !== "POST") {
            const response = context.message("Not possible", `This page supports ${SUPPORTED}.`, 405)
            response.headers.set("allow", SUPPORTED)
            return response
          }
          const page = {
            headers,
            peer,
            method: method === "POST" ? ("POST" as const) : ("GET" as const),
            query: new URL(request.url).searchParams,
            form: new URLSearchParams(method === "POST" ? yield* Effect.promise(() => request.text()) : "")
          }
          const rejected = method === "POST" ? rejection(page) : null
          return rejected ?? (yield* render(context, page))
        }).pipe(
          Effect.catch((error) =>
            Effect.succeed(context.message("Something is not right", error.message, statusOf(error)))
          ),
          Effect.catchDefect((defect) =>
            Effect.logError("A page failed.", defect).pipe(
              Effect.annotateLogs({
                requestId: request.headers.get(REQUEST_ID_HEADER),
                path: new URL(request.url).pathname
              }),
              Effect.as(
                context.message(
                  "Something went wrong",
                  `The server's log has the details under the request's id, ${request.headers.get(REQUEST_ID_HEADER)}.`,
                  500
                )
              )
            )
          )
        )

      return Pages.of({
        respond: (request, peer) => {
          const render = PAGES.get(new URL(request.url).pathname)
          return render === undefined ? null : run(respond(request, peer, render), { signal: request.signal })
        }
      })
    })
  )
}
