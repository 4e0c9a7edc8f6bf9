import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import {
  AccountJson,
  AccountUpdateJson,
  LinkJson,
  Password,
  SessionJson,
  UserCreateJson,
  UserJson,
  UserUpdateJson
} from "../../shared/json/user.ts"
import { Access, requires } from "../access.ts"
import { endpointDocs } from "../endpointDocs.ts"
import { intParam, page } from "../numbers.ts"
import { CHANGE_PROBLEMS } from "../peopleProblem.ts"
import { NotFound, ServiceUnavailable, TooManyRequests } from "../problems.ts"

const byUser = { params: { id: intParam("The user's id", 7) } }

const UserListJson = Schema.Struct({
  data: Schema.Array(UserJson),
  total: Schema.Int.annotate({ description: "How many users match in all", examples: [1] }),
  limit: Schema.Int.annotate({ examples: [100] }),
  offset: Schema.Int.annotate({ examples: [0] })
}).annotate({ identifier: "UserList", description: "Users by name." })

const CreatedUserJson = Schema.Struct({
  user: UserJson,
  link: Schema.NullOr(LinkJson).annotate({
    description: "The invitation; null if the user has a password, or passwords are turned off"
  })
}).annotate({ identifier: "CreatedUser", description: "The new user." })

const PasswordChangeJson = Schema.Struct({
  old_password: Schema.String.annotate({ format: "password", examples: ["correct horse battery"] }),
  password: Password.annotate({ examples: ["another staple for it"] })
}).annotate({ identifier: "PasswordChange" })

const account = HttpApiEndpoint.get("current", "/api/user/current", {
  success: AccountJson,
  error: [NotFound, ServiceUnavailable]
})
  .annotateMerge(requires("read", "account", { withoutLicense: true }))
  .annotateMerge(endpointDocs("Get your account", "The signed-in user, with what they may do."))

export class UserApi extends HttpApiGroup.make("user")
  .add(
    account,
    HttpApiEndpoint.put("updateCurrent", "/api/user/current", {
      payload: AccountUpdateJson,
      success: AccountJson,
      error: CHANGE_PROBLEMS
    })
      .annotateMerge(requires("update", "account", { withoutLicense: true }))
      .annotateMerge(endpointDocs("Change your account", "Name, language, time zone and theme.")),
    HttpApiEndpoint.put("changePassword", "/api/user/current/password", {
      payload: PasswordChangeJson,
      success: HttpApiSchema.NoContent,
      error: [...CHANGE_PROBLEMS, TooManyRequests]
    })
      .annotateMerge(requires("update", "account", { withoutLicense: true }))
      .annotateMerge(endpointDocs("Change your password", "Ends your other sessions and links.")),
    HttpApiEndpoint.get("list", "/api/user", {
      query: {
        status: Schema.optionalKey(
          Schema.Literals(["active", "deactivated", "all"]).annotate({ description: "Default: `active`" })
        ),
        query: Schema.optionalKey(
          Schema.String.check(Schema.isMaxLength(200)).annotate({ description: "Part of the name or email" })
        ),
        group_id: Schema.optionalKey(intParam("Only members of this group", 3)),
        ...page
      },
      success: UserListJson,
      error: ServiceUnavailable
    })
      .annotateMerge(requires("read", "users"))
      .annotateMerge(endpointDocs("List users", "By name, page by page.")),
    HttpApiEndpoint.post("create", "/api/user", {
      payload: UserCreateJson,
      success: CreatedUserJson,
      error: CHANGE_PROBLEMS
    })
      .annotateMerge(requires("create", "users"))
      .annotateMerge(
        endpointDocs(
          "Create or invite a user",
          "Footfall sends no email: without a password, send the link in the response to the user. It is shown only once."
        )
      ),
    HttpApiEndpoint.get("get", "/api/user/:id", { ...byUser, success: UserJson, error: [NotFound, ServiceUnavailable] })
      .annotateMerge(requires("read", "users"))
      .annotateMerge(endpointDocs("Get a user")),
    HttpApiEndpoint.put("update", "/api/user/:id", {
      ...byUser,
      payload: UserUpdateJson,
      success: UserJson,
      error: CHANGE_PROBLEMS
    })
      .annotateMerge(requires("update", "users"))
      .annotateMerge(
        endpointDocs(
          "Change a user",
          "Absent members stay as they are; `group_ids` lists all groups of the user. 409 for the last administrator who can sign in, and for the only one."
        )
      ),
    HttpApiEndpoint.delete("disable", "/api/user/:id", { ...byUser, success: UserJson, error: CHANGE_PROBLEMS })
      .annotateMerge(requires("delete", "users"))
      .annotateMerge(
        endpointDocs(
          "Disable a user",
          "Ends their sessions and links within 5 s. What they saved stays, and API keys, which belong to no user, go on working. 409 for the last administrator who can sign in, and for the only one."
        )
      ),
    HttpApiEndpoint.put("enable", "/api/user/:id/reactivate", { ...byUser, success: UserJson, error: CHANGE_PROBLEMS })
      .annotateMerge(requires("update", "users"))
      .annotateMerge(endpointDocs("Enable a user", "Their password and groups are as before.")),
    HttpApiEndpoint.delete("remove", "/api/user/:id/permanently", {
      ...byUser,
      success: HttpApiSchema.NoContent,
      error: CHANGE_PROBLEMS
    })
      .annotateMerge(requires("delete", "users"))
      .annotateMerge(
        endpointDocs(
          "Delete a user for good",
          'What they saved stays, by a "Deleted user". Their name and email are removed everywhere, from the audit log, too. 409 for the last administrator who can sign in, and for the only one.'
        )
      ),
    HttpApiEndpoint.post("link", "/api/user/:id/link", { ...byUser, success: LinkJson, error: CHANGE_PROBLEMS })
      .annotateMerge(requires("update", "users"))
      .annotateMerge(
        endpointDocs(
          "Create a link to set a password",
          "An invitation (7 days) or a reset (1 day), in place of earlier links of the user. It is shown only once. 409 if passwords are turned off."
        )
      ),
    HttpApiEndpoint.get("sessions", "/api/user/:id/session", {
      ...byUser,
      success: Schema.Array(SessionJson).annotate({ description: "The user's sessions, the latest first." }),
      error: [NotFound, ServiceUnavailable]
    })
      .annotateMerge(requires("read", "users"))
      .annotateMerge(endpointDocs("List a user's sessions")),
    HttpApiEndpoint.delete("endSessions", "/api/user/:id/session", {
      ...byUser,
      success: HttpApiSchema.NoContent,
      error: [NotFound, ServiceUnavailable]
    })
      .annotateMerge(requires("update", "users"))
      .annotateMerge(endpointDocs("End a user's sessions", "Signs the user out everywhere within 5 s."))
  )
  .middleware(Access)
  .annotateMerge(
    OpenApi.annotations({
      title: "Users",
      description: "The people who can sign in, for administrators, and everyone's own account."
    })
  ) {}
