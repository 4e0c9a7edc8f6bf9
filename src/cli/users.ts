import { Console, Effect, Redacted } from "effect"
import { Command, Flag } from "effect/cli"
import { ADMINISTRATORS, type User } from "../domain/people.ts"
import { userJson } from "../http/shared/json/user.ts"
import { linkUrl } from "../http/shared/links.ts"
import { publicUrl } from "../http/shared/publicUrl.ts"
import { Settings } from "../ports/Settings.ts"
import { type UserLink, Users } from "../ports/Users.ts"
import { isPasswordLoginOn } from "../settings/passwordLogin.ts"
import { OIDC_NAME } from "../settings/settings.ts"
import { groupFlag, groupOf } from "./groupFlag.ts"
import { json, printJson, table } from "./output.ts"
import { UsageError } from "./UsageError.ts"
import { userArgument, userIdOf } from "./userArgument.ts"

const describeLink = (link: UserLink, url: string): string =>
  `${url}\n\nThe link is shown only now. It works once, until ${link.expiresAt.toISOString()}.`

const linkUrlOf = (link: UserLink) => Effect.map(Settings, (settings) => linkUrl(publicUrl(settings, null), link))

const created = ({ email, id, name }: User): string => `Created ${name} (${email}) with the id ${id}.`

/** The password of a new user: from standard input, so that it is neither in the shell's history nor in the list of processes. */
const passwordFromInput = Effect.gen(function* () {
  const input = yield* Effect.promise(() => Bun.stdin.text())
  const password = input.replace(/\r?\n$/, "")
  if (password === "") {
    return yield* new UsageError({
      message: "Pass the password on standard input, as in `… users create --password-stdin < password.txt`."
    })
  }
  return Redacted.make(password)
})

export const create = Command.make(
  "create",
  {
    email: Flag.String("email").pipe(Flag.withDescription("The user's email, with which they sign in")),
    name: Flag.String("name").pipe(Flag.withDescription("The name that others see")),
    admin: Flag.Boolean("admin").pipe(Flag.withDescription("Make the user an administrator"), Flag.withDefault(false)),
    group: groupFlag.pipe(
      Flag.withDescription("The name or id of a group that the user belongs to; may be repeated"),
      Flag.between(0, 100)
    ),
    passwordStdin: Flag.Boolean("password-stdin").pipe(
      Flag.withDescription("Read the password from standard input; default: print a link with which the user sets one"),
      Flag.withDefault(false)
    ),
    json
  },
  Effect.fn(function* (flags) {
    const users = yield* Users
    const groups = [...(yield* Effect.forEach(flags.group, groupOf)), ...(flags.admin ? [ADMINISTRATORS] : [])]
    const given = { email: flags.email, name: flags.name, groups }
    if (flags.passwordStdin) {
      const user = yield* users.create({ ...given, password: yield* passwordFromInput })
      return yield* flags.json ? printJson({ user: userJson(user), link: null }) : Console.log(created(user))
    }
    const user = yield* users.create(given)
    const { get } = yield* Settings
    if (!isPasswordLoginOn(get)) {
      return yield* flags.json
        ? printJson({ user: userJson(user), link: null })
        : Console.log(`${created(user)} They sign in with ${get(OIDC_NAME)}.`)
    }
    const link = yield* users.createLink(user.id)
    const url = yield* linkUrlOf(link)
    if (flags.json) {
      return yield* printJson({
        user: userJson(user),
        link: { kind: link.kind, url, expires_at: link.expiresAt.toISOString() }
      })
    }
    yield* Console.log(`${created(user)} To set a password, they open:\n`)
    yield* Console.log(describeLink(link, url))
  })
).pipe(
  Command.withDescription("Create a user, and print a link with which they set a password"),
  Command.withExamples([
    {
      command: 'bun run footfall users create --email ada@example.com --name "Ada Lovelace" --admin',
      description: "Create an administrator"
    }
  ])
)

const stateOf = (user: User): string => {
  if (!user.isActive) return "disabled"
  return user.hasPassword || user.lastLoginAt !== null ? "active" : "invited"
}

/** Users in one page of the list. */
const PAGE = 500

export const list = Command.make(
  "list",
  { json },
  Effect.fn(function* (flags) {
    const users = yield* Users
    const all: Array<User> = []
    for (let offset = 0; ; offset += PAGE) {
      const page = yield* users.list({ status: "all", limit: PAGE, offset })
      all.push(...page.users)
      if (page.users.length < PAGE) break
    }
    if (flags.json) return yield* printJson(all.map(userJson))
    if (all.length === 0) {
      return yield* Console.log("There are no users yet; `bun run footfall users create` creates one.")
    }
    yield* Console.log(
      table(
        ["ID", "NAME", "EMAIL", "STATE", "ADMIN", "LAST SIGN-IN"],
        all.map((user) => [
          String(user.id),
          user.name,
          user.email,
          stateOf(user),
          user.isAdmin ? "yes" : "no",
          user.lastLoginAt?.toISOString() ?? "never"
        ])
      )
    )
  })
).pipe(Command.withDescription("List the users"))

export const disable = Command.make(
  "disable",
  { user: userArgument },
  Effect.fn(function* (flags) {
    const { name } = yield* (yield* Users).disable(yield* userIdOf(flags.user))
    yield* Console.log(`Disabled ${name}. Their sessions end within 5 seconds.`)
  })
).pipe(Command.withDescription("Disable a user, who is signed out everywhere; what they saved stays"))

export const enable = Command.make(
  "enable",
  { user: userArgument },
  Effect.fn(function* (flags) {
    const { name } = yield* (yield* Users).enable(yield* userIdOf(flags.user))
    yield* Console.log(`Enabled ${name}.`)
  })
).pipe(Command.withDescription("Enable a disabled user"))

export const remove = Command.make(
  "delete",
  {
    user: userArgument,
    yes: Flag.Boolean("yes").pipe(Flag.withDefault(false), Flag.withDescription("Really delete the user"))
  },
  Effect.fn(function* (flags) {
    const users = yield* Users
    const id = yield* userIdOf(flags.user)
    const { email, name } = yield* users.get(id)
    if (!flags.yes) {
      return yield* new UsageError({
        message: `This deletes ${name} (${email}) for good; \`users disable\` can be undone. Add --yes to do it.`
      })
    }
    yield* users.remove(id)
    yield* Console.log(
      `Deleted the user with the id ${id}. What they saved stays, without their name. API keys that they know still work: \`bun run footfall keys list\`.`
    )
  })
).pipe(Command.withDescription("Delete a user for good, with their name and email; what they saved stays"))

export const resetLink = Command.make(
  "reset-link",
  { user: userArgument, json },
  Effect.fn(function* (flags) {
    const link = yield* (yield* Users).createLink(yield* userIdOf(flags.user))
    const url = yield* linkUrlOf(link)
    yield* flags.json
      ? printJson({ kind: link.kind, url, expires_at: link.expiresAt.toISOString() })
      : Console.log(describeLink(link, url))
  })
).pipe(
  Command.withDescription("Print a link with which a user sets a new password; earlier links of the user end"),
  Command.withExamples([
    {
      command: "bun run footfall users reset-link ada@example.com",
      description: "Let the user with this email set a new password"
    }
  ])
)

/** The parent of the `users` commands. Only some of them may create an instance, so the process that runs them lists them. */
export const users = Command.make("users").pipe(
  Command.withDescription("Create, list, disable, enable and delete users, and let them set passwords")
)
