import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api"
import { VERSION } from "../../../lib/version.ts"
import { Password, SessionJson } from "../../shared/json/user.ts"
import { Access, requires } from "../access.ts"
import { endpointDocs } from "../endpointDocs.ts"
import {
  Forbidden,
  NotFound,
  ServiceUnavailable,
  TooManyRequests,
  Unauthorized,
  UnprocessableContent
} from "../problems.ts"

const LoginJson = Schema.Struct({
  username: Schema.String.annotate({ description: "The user's email", examples: ["ada@example.com"] }),
  password: Schema.String.annotate({ format: "password", examples: ["correct horse battery"] })
}).annotate({ identifier: "Login" })

const SignedInJson = Schema.Struct({
  id: Schema.String.annotate({ description: "The session's id, which is not its token", format: "uuid" })
}).annotate({
  identifier: "SignedIn",
  description: "The session. Its token is in the cookie, which scripts cannot read."
})

const SignedOutJson = Schema.Struct({
  sign_out_url: Schema.NullOr(Schema.String).annotate({
    description: "Where the browser signs out at the identity provider, too; null if there is nothing left to do",
    examples: ["https://accounts.example.com/session/end?client_id=footfall&id_token_hint=…"]
  })
}).annotate({ identifier: "SignedOut", description: "The session has ended." })

const ResetJson = Schema.Struct({
  token: Schema.String.annotate({ description: "The token of the link", examples: ["1pX4…"] }),
  password: Password
}).annotate({ identifier: "PasswordReset" })

const LinkOwnerJson = Schema.Struct({
  valid: Schema.Boolean.annotate({ examples: [true] }),
  kind: Schema.NullOr(Schema.Literals(["invitation", "reset"])),
  email: Schema.NullOr(Schema.String).annotate({ examples: ["ada@example.com"] })
}).annotate({ identifier: "LinkOwner", description: "Whom a link is for, if it still works." })

const PropertiesJson = Schema.Struct({
  version: Schema.String.annotate({ examples: [VERSION] }),
  instance_name: Schema.String.annotate({ examples: ["Footfall"] }),
  instance_timezone: Schema.String.annotate({ examples: ["UTC"] }),
  has_user_setup: Schema.Boolean.annotate({
    description: "False until the first administrator was created",
    examples: [true]
  }),
  enable_password_login: Schema.Boolean.annotate({
    description: "Whether users may sign in with passwords; otherwise only with single sign-on",
    examples: [true]
  }),
  single_sign_on: Schema.NullOr(
    Schema.Struct({
      name: Schema.String.annotate({ description: "What the provider is called", examples: ["Acme"] }),
      path: Schema.String.annotate({
        description: "Where it begins, with `?next=` for where it ends",
        examples: ["/auth/sso"]
      })
    })
  ).annotate({ description: "Null if no identity provider is set up" }),
  license: Schema.Literals(["open", "licensed", "off"]).annotate({
    description: "`off`: a license is required and none is valid, so that most routes answer with 402"
  })
}).annotate({ identifier: "Properties", description: "What everyone may know about this instance." })

/** A revoked session, as keys report it. */
const EndedJson = Schema.Struct({ id: Schema.String, ended: Schema.Literal(true) }).annotate({
  description: "The session has ended."
})

export class SessionApi extends HttpApiGroup.make("session")
  .add(
    HttpApiEndpoint.post("login", "/api/session", {
      payload: LoginJson,
      success: SignedInJson,
      error: [Unauthorized, Forbidden, TooManyRequests, ServiceUnavailable]
    })
      .annotateMerge(requires("create", "session", { withoutLicense: true, answers: ["401", "403"] }))
      .annotateMerge(
        endpointDocs(
          "Sign in",
          "Sets the session's cookie (HttpOnly, SameSite=Lax), and ends the session that the browser had. Programs use API keys instead. 403 if passwords are turned off. After 10 attempts for an account or 50 from an address, further ones get 429 for a while."
        )
      ),
    HttpApiEndpoint.delete("logout", "/api/session", {
      success: SignedOutJson,
      error: ServiceUnavailable
    })
      .annotateMerge(requires("delete", "session", { withoutLicense: true }))
      .annotateMerge(
        endpointDocs(
          "Sign out",
          "Ends the session of this request, and clears its cookie. If it began at an identity provider that also signs out, open `sign_out_url` in the browser next."
        )
      ),
    HttpApiEndpoint.get("list", "/api/session", {
      success: Schema.Array(SessionJson).annotate({ description: "Your sessions, the latest first." }),
      error: ServiceUnavailable
    })
      .annotateMerge(requires("read", "session", { withoutLicense: true }))
      .annotateMerge(endpointDocs("List your sessions", "The browsers in which you are signed in, at most 50.")),
    HttpApiEndpoint.delete("end", "/api/session/:id", {
      params: { id: Schema.String.annotate({ description: "The session's id, a UUID" }) },
      success: EndedJson,
      error: [NotFound, ServiceUnavailable]
    })
      .annotateMerge(requires("delete", "session", { withoutLicense: true }))
      .annotateMerge(
        endpointDocs(
          "End a session",
          "One of yours; administrators may end anybody's. Every process rejects it within 5 s."
        )
      ),
    HttpApiEndpoint.get("link", "/api/session/password_reset_token_valid", {
      query: { token: Schema.String.annotate({ description: "The token of the link" }) },
      success: LinkOwnerJson,
      error: ServiceUnavailable
    })
      .annotateMerge(requires("read", "password-links", { withoutLicense: true }))
      .annotateMerge(
        endpointDocs("Check an invitation or reset link", "The owner of the token learns whom it is for.")
      ),
    HttpApiEndpoint.post("reset", "/api/session/reset_password", {
      payload: ResetJson,
      success: SignedInJson,
      error: [Forbidden, UnprocessableContent, ServiceUnavailable]
    })
      .annotateMerge(requires("create", "password-links", { withoutLicense: true, answers: ["403"] }))
      .annotateMerge(
        endpointDocs(
          "Accept an invitation or reset a password",
          "Sets the password of the link's user, ends all their sessions, uses up the link, and signs in."
        )
      ),
    HttpApiEndpoint.get("properties", "/api/session/properties", {
      success: PropertiesJson,
      error: ServiceUnavailable
    })
      .annotateMerge(requires("read", "instance", { withoutLicense: true }))
      .annotateMerge(endpointDocs("Get the instance's properties", "What a page needs before anybody is signed in."))
  )
  .middleware(Access)
  .annotateMerge(
    OpenApi.annotations({
      title: "Sessions",
      description:
        "Signing in and out. A change with a session's cookie must come from a page of this server (`Origin`, `Sec-Fetch-Site`) and be JSON; API keys need neither."
    })
  ) {}
