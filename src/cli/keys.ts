import { Console, Effect } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { keyJson } from "../http/shared/json/key.ts"
import { AdminKeys } from "../ports/AdminKeys.ts"
import { json, printJson, table } from "./output.ts"

const create = Command.make(
  "create",
  {
    name: Flag.String("name").pipe(
      Flag.withDescription("Who or what uses the key; cli unless given"),
      Flag.withDefault("cli")
    ),
    role: Flag.Literals("role", ["admin", "viewer"]).pipe(
      Flag.withDescription("`admin`: everything; `viewer`: numbers, status and rejections; admin unless given"),
      Flag.withDefault("admin")
    ),
    json
  },
  Effect.fn(function* ({ name, role, json: asJson }) {
    const { key, record } = yield* (yield* AdminKeys).create(name, role)
    if (asJson) return yield* printJson({ ...keyJson(record), key })
    yield* Console.log(
      `${key}\n\nThis is the only time that the key is shown. Send it as \`Authorization: Bearer ${key.slice(0, 8)}…\`.`
    )
  })
).pipe(
  Command.withDescription("Make an API key and print it, once"),
  Command.withExamples([
    {
      command: "bun run footfall keys create --name grafana --role viewer",
      description: "A key for a dashboard that only reads"
    }
  ])
)

const list = Command.make(
  "list",
  { json },
  Effect.fn(function* ({ json: asJson }) {
    const keys = yield* (yield* AdminKeys).list
    if (asJson) return yield* printJson(keys.map(keyJson))
    if (keys.length === 0) return yield* Console.log("There are no keys: `bun run footfall keys create` makes one.")
    yield* Console.log(
      table(
        ["ID", "NAME", "ROLE", "KEY", "CREATED"],
        keys.map((key) => [key.id, key.name, key.role, `${key.prefix}…`, key.createdAt.toISOString()])
      )
    )
  })
).pipe(Command.withDescription("List the API keys in force"))

const revoke = Command.make(
  "revoke",
  {
    id: Argument.String("id").pipe(
      Argument.withDescription("The key's id, a UUID, as `bun run footfall keys list` shows it")
    )
  },
  Effect.fn(function* ({ id }) {
    yield* (yield* AdminKeys).revoke(id)
    yield* Console.log("Revoked. The key stops working on every process within 5 seconds.")
  })
).pipe(
  Command.withDescription("End an API key"),
  Command.withExamples([
    {
      command: "bun run footfall keys revoke 94488cc1-2cd1-499b-83fc-bd7afd4cbcad",
      description: "By the id that `keys list` shows"
    }
  ])
)

export const keys = Command.make("keys").pipe(
  Command.withDescription("Make, list and revoke keys of the admin API"),
  Command.withSubcommands([create, list, revoke])
)
