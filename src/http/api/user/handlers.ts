import { Effect, Redacted } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import type { Principal } from "../../../domain/Principal.ts"
import { GroupId, PRODUCT_ANALYTICS, type User, UserId } from "../../../domain/people.ts"
import { Policy } from "../../../pipeline/Policy.ts"
import { Settings } from "../../../ports/Settings.ts"
import { UserSessions } from "../../../ports/UserSessions.ts"
import { type UserLink, Users } from "../../../ports/Users.ts"
import { isPasswordLoginOn } from "../../../settings/passwordLogin.ts"
import { Browsers } from "../../people/browser.ts"
import { SignIn } from "../../people/SignIn.ts"
import { sessionJson, type UserUpdateJson, userJson } from "../../shared/json/user.ts"
import { linkJson } from "../../shared/links.ts"
import { AdminApi } from "../AdminApi.ts"
import { CurrentPrincipal } from "../access.ts"
import { DEFAULT_PAGE, MAX_INT } from "../numbers.ts"
import { changeProblem, readProblem, unavailable } from "../peopleProblem.ts"
import { browserRequest } from "../server/browserRequest.ts"
import { signInProblem } from "../signInProblem.ts"

const accountJson = (user: User, principal: Principal) => ({
  ...userJson(user),
  session_id: principal.sessionId,
  level: principal.levelIn([PRODUCT_ANALYTICS.id]),
  site_limit: principal.siteLimit
})

const changeOf = ({ group_ids, ...values }: typeof UserUpdateJson.Type) => ({
  ...values,
  ...(group_ids !== undefined && { groups: group_ids.map((id) => GroupId.make(id)) })
})

export const UserHandlers = HttpApiBuilder.group(
  AdminApi,
  "user",
  Effect.fn(function* (handlers) {
    const users = yield* Users
    const sessions = yield* UserSessions
    const signIn = yield* SignIn
    const settings = yield* Settings
    const browsers = new Browsers(yield* Policy, settings)

    /** The signed-in user's id: the endpoints of the account require one. */
    const own = Effect.map(CurrentPrincipal, ({ userId }) => userId ?? UserId.make(MAX_INT))

    const linkOf = (link: UserLink) =>
      Effect.map(browserRequest, (request) => linkJson(link, browsers.serverUrl(request)))

    return handlers.handleAll({
      current: Effect.fnUntraced(function* () {
        const user = yield* Effect.mapError(users.get(yield* own), readProblem)
        return accountJson(user, yield* CurrentPrincipal)
      }),
      updateCurrent: Effect.fnUntraced(function* ({ payload }) {
        const user = yield* Effect.mapError(users.update(yield* own, payload), changeProblem)
        return accountJson(user, yield* CurrentPrincipal)
      }),
      changePassword: Effect.fnUntraced(function* ({ payload }) {
        const { sessionId } = yield* CurrentPrincipal
        const owner = { id: yield* own, session: sessionId ?? "" }
        const passwords = { old: Redacted.make(payload.old_password), new: Redacted.make(payload.password) }
        const change = signIn.changePassword(owner, passwords, browsers.of(yield* browserRequest))
        yield* Effect.catchTags(change, {
          SignInError: signInProblem,
          PeopleError: (error) => Effect.fail(changeProblem(error))
        })
      }),
      list: Effect.fnUntraced(function* ({ query }) {
        const { group_id, limit = DEFAULT_PAGE, offset = 0, status = "active" } = query
        const options = {
          status,
          limit,
          offset,
          ...(query.query !== undefined && { query: query.query }),
          ...(group_id !== undefined && { group: GroupId.make(group_id) })
        }
        const found = yield* Effect.mapError(users.list(options), unavailable)
        return { data: found.users.map(userJson), total: found.total, limit, offset }
      }),
      create: Effect.fnUntraced(function* ({ payload: { group_ids = [], password, ...values } }) {
        const given = { ...values, groups: group_ids.map((id) => GroupId.make(id)) }
        if (password !== undefined) {
          const user = yield* users.create({ ...given, password: Redacted.make(password) })
          return { user: userJson(user), link: null }
        }
        const user = yield* users.create(given)
        if (!isPasswordLoginOn(settings.get)) return { user: userJson(user), link: null }
        return { user: userJson(user), link: yield* linkOf(yield* users.createLink(user.id)) }
      }, Effect.mapError(changeProblem)),
      get: ({ params }) =>
        Effect.mapBoth(users.get(UserId.make(params.id)), { onSuccess: userJson, onFailure: readProblem }),
      update: ({ params, payload }) =>
        Effect.mapBoth(users.update(UserId.make(params.id), changeOf(payload)), {
          onSuccess: userJson,
          onFailure: changeProblem
        }),
      disable: ({ params }) =>
        Effect.mapBoth(users.disable(UserId.make(params.id)), { onSuccess: userJson, onFailure: changeProblem }),
      enable: ({ params }) =>
        Effect.mapBoth(users.enable(UserId.make(params.id)), { onSuccess: userJson, onFailure: changeProblem }),
      remove: ({ params }) => Effect.mapError(users.remove(UserId.make(params.id)), changeProblem),
      link: ({ params }) =>
        Effect.flatMap(Effect.mapError(users.createLink(UserId.make(params.id)), changeProblem), linkOf),
      sessions: Effect.fnUntraced(function* ({ params }) {
        const id = UserId.make(params.id)
        yield* users.get(id)
        const { sessionId } = yield* CurrentPrincipal
        return (yield* sessions.list(id)).map((session) => sessionJson(session, sessionId))
      }, Effect.mapError(readProblem)),
      endSessions: ({ params }) => Effect.mapError(sessions.endAll(UserId.make(params.id)), readProblem)
    })
  })
)
