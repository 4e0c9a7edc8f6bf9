import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api"
import { Email, Password, PersonName } from "../../shared/json/user.ts"
import { Access, requires } from "../access.ts"
import { endpointDocs } from "../endpointDocs.ts"
import { CHANGE_PROBLEMS } from "../peopleProblem.ts"
import { Forbidden } from "../problems.ts"

const SetupJson = Schema.Struct({
  token: Schema.String.annotate({ description: "The token of the setup link", examples: ["9mQx…"] }),
  email: Email,
  name: PersonName,
  password: Password,
  instance_name: Schema.optionalKey(
    Schema.String.annotate({ description: "What the instance is called", examples: ["Acme"] })
  ),
  timezone: Schema.optionalKey(
    Schema.String.annotate({ description: "IANA time zone of new sites", examples: ["Europe/Berlin"] })
  )
}).annotate({ identifier: "Setup" })

const SetUpJson = Schema.Struct({
  id: Schema.String.annotate({ description: "The session's id, which is not its token", format: "uuid" })
}).annotate({ description: "The administrator exists and is signed in." })

export class SetupApi extends HttpApiGroup.make("setup")
  .add(
    HttpApiEndpoint.post("complete", "/api/setup", {
      payload: SetupJson,
      success: SetUpJson,
      error: [Forbidden, ...CHANGE_PROBLEMS]
    })
      .annotateMerge(requires("create", "setup", { withoutLicense: true, answers: ["403"] }))
      .annotateMerge(
        endpointDocs(
          "Set up the instance",
          "Creates the first administrator, exactly once, and signs them in. `bun run full` prints the link with the token until that is done; from then on, every token gets 403."
        )
      )
  )
  .middleware(Access)
  .annotateMerge(OpenApi.annotations({ title: "Setup", description: "The first start of an instance." })) {}
