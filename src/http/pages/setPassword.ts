import { Effect } from "effect"
import type { PeopleError } from "../../ports/PeopleError.ts"
import type { LinkOwner } from "../../ports/Users.ts"
import { OIDC_NAME } from "../../settings/settings.ts"
import { withoutPasswords } from "../people/SignIn.ts"
import { LINK_PATHS } from "../shared/links.ts"
import { entered, type PageContext, type PageRequest, secret } from "./context.ts"
import { field, problems } from "./form.ts"
import { html } from "./html.ts"
import { PASSWORD_HINT } from "./setup.ts"
import { statusOf } from "./statusOf.ts"

const TEXTS = {
  invitation: { title: "Accept your invitation", button: "Set password and sign in" },
  reset: { title: "Set a new password", button: "Set password and sign in" }
} as const

interface PasswordForm {
  readonly token: string
  readonly owner: LinkOwner
  readonly failed: PeopleError | null
}

const passwordForm = (context: PageContext, { failed, owner, token }: PasswordForm): Response => {
  const issues = failed?.issues ?? []
  const { button, title } = TEXTS[owner.kind]
  // The email is there for password managers, which keep it with the password.
  const content = html`${problems(issues.length > 0 ? null : (failed?.message ?? null), issues)}<p>${owner.name}, choose a password for <strong>${owner.email}</strong>.</p>
<form method="post" action="${context.path(LINK_PATHS[owner.kind])}">
<input type="hidden" name="token" value="${token}">
<input type="email" name="email" value="${owner.email}" autocomplete="username" hidden>
${field({ name: "password", label: "Password", type: "password", autocomplete: "new-password", autofocus: true, hint: PASSWORD_HINT }, new Map(), issues)}
<button>${button}</button>
</form>`
  return context.page(title, content, failed === null ? 200 : statusOf(failed))
}

/** `/invitation` and `/reset-password`: sets the password of a link's user. */
export const setPasswordPage = Effect.fnUntraced(function* (context: PageContext, request: PageRequest) {
  if (!context.hasPasswords()) {
    return context.message("This link does not work", withoutPasswords(context.settings.get(OIDC_NAME)), 403)
  }
  const token = request.method === "GET" ? (request.query.get("token") ?? "") : entered(request.form, "token")
  const owner = yield* context.users.linkOwner(token)
  if (owner === null) {
    return context.message(
      "This link does not work",
      "It was used already, has expired or is incomplete. Ask an administrator for a new one.",
      403
    )
  }
  if (request.method === "GET") return passwordForm(context, { token, owner, failed: null })
  const opened = yield* Effect.result(
    context.signIn.withLink(token, secret(request.form, "password"), context.browsers.of(request))
  )
  return opened._tag === "Success"
    ? context.enter(request, opened.success, context.path("/"))
    : passwordForm(context, { token, owner, failed: opened.failure })
})
