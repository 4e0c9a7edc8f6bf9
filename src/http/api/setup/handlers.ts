import { Effect, Redacted } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { Policy } from "../../../pipeline/Policy.ts"
import { Settings } from "../../../ports/Settings.ts"
import { Browsers } from "../../people/browser.ts"
import { SignIn } from "../../people/SignIn.ts"
import { AdminApi } from "../AdminApi.ts"
import { changeProblem } from "../peopleProblem.ts"
import { assertNotCrossSite, browserRequest, withHeader } from "../server/browserRequest.ts"

export const SetupHandlers = HttpApiBuilder.group(
  AdminApi,
  "setup",
  Effect.fn(function* (handlers) {
    const signIn = yield* SignIn
    const browsers = new Browsers(yield* Policy, yield* Settings)
    return handlers.handleAll({
      complete: Effect.fnUntraced(function* ({ payload: { instance_name: instanceName, password, token, ...values } }) {
        const request = yield* browserRequest
        yield* assertNotCrossSite(browsers, request)
        const given = {
          ...values,
          password: Redacted.make(password),
          ...(instanceName !== undefined && { instanceName })
        }
        const opened = yield* Effect.mapError(signIn.withSetup(token, given, browsers.of(request)), changeProblem)
        yield* withHeader("set-cookie", browsers.sessionCookie(request, opened.token))
        return { id: opened.session.id }
      })
    })
  })
)
