import { Effect } from "effect"
import type { FieldIssue } from "../../domain/fieldIssues.ts"
import { MIN_PASSWORD_LENGTH } from "../../domain/password.ts"
import type { PeopleError } from "../../ports/PeopleError.ts"
import { entered, type PageContext, type PageRequest, secret } from "./context.ts"
import { type Entered, field, problems } from "./form.ts"
import { html } from "./html.ts"
import { statusOf } from "./statusOf.ts"

export const PASSWORD_HINT = `At least ${MIN_PASSWORD_LENGTH} characters. Several words are easy to remember.`

const ZONES = ["UTC", ...Intl.supportedValuesOf("timeZone").filter((zone) => zone !== "UTC")]

/** The form's names of the fields. */
const NAMES: Readonly<Record<string, string>> = { instanceName: "instance_name" }

/** The fields from top to bottom, as problems with them are listed. */
const FIELDS = ["name", "email", "password", "instance_name", "timezone"]

const setupForm = (
  context: PageContext,
  token: string,
  { failed, values }: { readonly failed: PeopleError | null; readonly values: Entered }
): Response => {
  const issues = (failed?.issues ?? [])
    .map((issue): FieldIssue => ({ ...issue, field: NAMES[issue.field] ?? issue.field }))
    .toSorted((a, b) => FIELDS.indexOf(a.field) - FIELDS.indexOf(b.field))
  const message = failed === null || issues.length > 0 ? null : failed.message
  const content = html`${problems(message, issues)}<p>Create the first administrator of this instance. Others can be invited later.</p>
<form method="post" action="${context.path("/setup")}">
<input type="hidden" name="token" value="${token}">
${field({ name: "name", label: "Your name", autocomplete: "name", autofocus: true }, values, issues)}
${field({ name: "email", label: "Email", type: "email", autocomplete: "username" }, values, issues)}
${field({ name: "password", label: "Password", type: "password", autocomplete: "new-password", hint: PASSWORD_HINT }, values, issues)}
${field({ name: "instance_name", label: "Name of this instance", autocomplete: "organization", hint: "Shown on the sign-in page." }, values, issues)}
${field({ name: "timezone", label: "Time zone", choices: ZONES, hint: "For reports; each site can have its own." }, values, issues)}
<button>Set up Footfall</button>
</form>`
  return context.page("Set up Footfall", content, failed === null ? 200 : statusOf(failed))
}

const NO_TOKEN =
  "The link to this page is incomplete, or was replaced by a newer one. `bun run full` prints a link each time it starts until setup is done; `bun run footfall users create` also creates the first administrator."

/** `/setup`: creates the first administrator, once. */
export const setupPage = Effect.fnUntraced(function* (context: PageContext, request: PageRequest) {
  if (!(yield* context.setup.isOpen)) {
    return context.message(
      "Setup is done",
      "The first administrator exists already.",
      request.method === "GET" ? 200 : 403
    )
  }
  if (request.method === "GET") {
    const token = request.query.get("token") ?? ""
    if (!(yield* context.setup.isValid(token))) return context.message("Set up Footfall", NO_TOKEN, 403)
    const values = new Map([
      ["instance_name", context.instance()],
      ["timezone", "UTC"]
    ])
    return setupForm(context, token, { failed: null, values })
  }
  const { form } = request
  const token = entered(form, "token")
  const values = {
    email: entered(form, "email"),
    name: entered(form, "name"),
    password: secret(form, "password"),
    instanceName: entered(form, "instance_name"),
    timezone: entered(form, "timezone")
  }
  const opened = yield* Effect.result(context.signIn.withSetup(token, values, context.browsers.of(request)))
  return opened._tag === "Success"
    ? context.enter(request, opened.success, context.path("/"))
    : setupForm(context, token, { failed: opened.failure, values: new Map(form) })
})
