import { Console, Effect, Option } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { Role } from "../domain/Principal.ts"
import { keyJson } from "../http/shared/json/key.ts"
import { type AdminKey, AdminKeys } from "../ports/AdminKeys.ts"
import { groupFlag, groupOf } from "./groupFlag.ts"
import { json, printJson, table } from "./output.ts"
import { UsageError } from "./UsageError.ts"

interface ScopeFlags {
  readonly role: Option.Option<Role>
  readonly readOnly: boolean
  readonly group: Option.Option<string>
}

/** What a new key may do. */
const scopeOf = Effect.fnUntraced(function* ({ group, readOnly, role }: ScopeFlags) {
  if (Option.isNone(group)) {
    const given = Option.getOrElse(role, (): Role => "admin")
    return { role: given, group: null, isReadOnly: readOnly && given !== "viewer" }
  }
  if (Option.isSome(role)) {
    return yield* new UsageError({ message: "A key of a group has the group's permissions: leave out --role." })
  }
  return { role: null, group: yield* groupOf(group.value), isReadOnly: readOnly }
})

const scopeText = ({ group, isReadOnly, role }: AdminKey): string =>
  `${group === null ? role : `group ${group}`}${isReadOnly ? ", read-only" : ""}`

export const create = Command.make(
  "create",
  {
    name: Flag.String("name").pipe(
      Flag.withDescription("Who or what uses the key; default: cli"),
      Flag.withDefault("cli")
    ),
    role: Flag.Literals("role", Role.literals).pipe(
      Flag.withDescription(
        "`admin`: everything; `viewer`: questions, metadata, statistics, status and rejections, but nothing that people saved; default: admin"
      ),
      Flag.optional
    ),
    readOnly: Flag.Boolean("read-only").pipe(Flag.withDescription("The key may only read"), Flag.withDefault(false)),
    group: groupFlag.pipe(
      Flag.withDescription("The name or id of a group, whose permissions the key then has in place of a role"),
      Flag.optional
    ),
    json
  },
  Effect.fn(function* (flags) {
    const { key, record } = yield* (yield* AdminKeys).create(flags.name, yield* scopeOf(flags))
    if (flags.json) return yield* printJson({ ...keyJson(record), key })
    yield* Console.log(`${key}\n\nThe key is shown only now. Send it as \`Authorization: Bearer ${key.slice(0, 8)}…\`.`)
  })
).pipe(
  Command.withDescription("Create an API key and print it, once"),
  Command.withExamples([
    {
      command: "bun run footfall keys create --name grafana --role viewer",
      description: "Create a read-only key for a dashboard"
    }
  ])
)

export const list = Command.make(
  "list",
  { json },
  Effect.fn(function* (flags) {
    const keys = yield* (yield* AdminKeys).list
    if (flags.json) return yield* printJson(keys.map(keyJson))
    if (keys.length === 0)
      return yield* Console.log("There are no keys yet; `bun run footfall keys create` creates one.")
    yield* Console.log(
      table(
        ["ID", "NAME", "ROLE", "KEY", "CREATED", "LAST USED"],
        keys.map((key) => [
          key.id,
          key.name,
          scopeText(key),
          `${key.prefix}…`,
          key.createdAt.toISOString(),
          key.lastUsedAt?.toISOString() ?? "never"
        ])
      )
    )
  })
).pipe(Command.withDescription("List the active API keys"))

export const revoke = Command.make(
  "revoke",
  {
    id: Argument.String("id").pipe(
      Argument.withDescription("The key's id, a UUID; `bun run footfall keys list` shows it")
    )
  },
  Effect.fn(function* ({ id }) {
    yield* (yield* AdminKeys).revoke(id)
    yield* Console.log("Revoked. Every process rejects the key within 5 seconds.")
  })
).pipe(
  Command.withDescription("Revoke an API key"),
  Command.withExamples([
    {
      command: "bun run footfall keys revoke 94488cc1-2cd1-499b-83fc-bd7afd4cbcad",
      description: "Revoke the key with this id"
    }
  ])
)

/** The parent of the `keys` commands. Only some of them may create an instance, so the process that runs them lists them. */
export const keys = Command.make("keys").pipe(Command.withDescription("Create, list and revoke keys of the admin API"))
