import { Console, Effect } from "effect"
import { Command } from "effect/cli"
import { Migrations } from "../ports/Migrations.ts"

export const migrate = Command.make("migrate", {}, () =>
  Effect.gen(function* () {
    const latest = yield* (yield* Migrations).apply
    yield* Console.log(`The database is up to date: ${latest}.`)
  })
).pipe(
  Command.withDescription("Migrate the app database to this version; every start does this as well"),
  Command.withExamples([
    {
      command: "DATABASE_URL=postgres://footfall@db.example/footfall bun run footfall migrate",
      description: "Migrate before you roll out the new version, with a role that may change tables"
    }
  ])
)
