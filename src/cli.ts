import * as NodeChildProcessSpawner from "@effect/platform-node-shared/NodeChildProcessSpawner"
import * as NodeFileSystem from "@effect/platform-node-shared/NodeFileSystem"
import * as NodePath from "@effect/platform-node-shared/NodePath"
import * as NodeStdio from "@effect/platform-node-shared/NodeStdio"
import * as NodeTerminal from "@effect/platform-node-shared/NodeTerminal"
import { Cause, Console, Effect, Exit, Fiber, Layer } from "effect"
import { CliConfig, CliError, CliOutput, Command, GlobalFlag } from "effect/cli"
import * as LakeAdmin from "../layers/lake/LakeAdmin.ts"
import { layerAppDatabase, layerDatabaseUrl } from "../layers/postgres/client/connect.ts"
import { MIGRATIONS } from "../layers/postgres/client/migrate.ts"
import { layer as changes } from "../layers/postgres/control/Changes.ts"
import { layer as pgAdminKeys } from "../layers/postgres/control/PgAdminKeys.ts"
import { layerWith as pgSettings } from "../layers/postgres/control/PgSettings.ts"
import { layer as pgSites } from "../layers/postgres/control/PgSites.ts"
import { doctor } from "./cli/doctor.ts"
import { keys } from "./cli/keys.ts"
import { lake } from "./cli/lake/lake.ts"
import { presenter } from "./cli/presenter.ts"
import { send } from "./cli/send.ts"
import { settings } from "./cli/settings.ts"
import { sites } from "./cli/sites.ts"
import { status } from "./cli/status.ts"
import { VERSION } from "./lib/version.ts"
import { logging, REFUSED_TO_START } from "./process/run.ts"

/** The app database, joined or started, and migrated. A wrong setting does not keep the command out that would put it right. */
const instance = Layer.merge(pgSites, pgAdminKeys).pipe(
  Layer.provideMerge(pgSettings({ environment: process.env, refuseWrong: false })),
  Layer.provideMerge(changes),
  Layer.provideMerge(layerAppDatabase),
  Layer.provideMerge(layerDatabaseUrl)
)

const migrate = Command.make("migrate", {}, () =>
  Effect.andThen(
    Layer.build(layerAppDatabase.pipe(Layer.provide(layerDatabaseUrl))),
    Console.log(`The database is up to date: ${MIGRATIONS.at(-1)?.name}.`)
  ).pipe(Effect.scoped)
).pipe(
  Command.withDescription("Bring the app database to this version; every start does so as well"),
  Command.withExamples([
    {
      command: "DATABASE_URL=postgres://footfall@db.example/footfall bun run footfall migrate",
      description: "Before the new version is rolled out, with a role that may change tables"
    }
  ])
)

const footfall = Command.make("footfall").pipe(
  Command.withDescription(
    "Footfall, a first-party collector for Umami's tracker. The app database is DATABASE_URL, else the embedded Postgres of DATA_DIR, which runs as long as a command needs it."
  ),
  Command.withExamples([
    {
      command: 'bun run footfall sites create --name "My shop" --domain example.com',
      description: "Register a site and get the snippet for its pages"
    },
    {
      command: "bun run footfall send --site 3f1c2d4e-5b6a-4c7d-8e9f-0a1b2c3d4e5f",
      description: "See whether the running server stores its events"
    },
    { command: "bun run footfall doctor", description: "See what is configured and what is left to do" }
  ]),
  Command.withSubcommands([
    sites.pipe(Command.provide(instance)),
    settings.pipe(Command.provide(instance)),
    keys.pipe(Command.provide(instance)),
    lake.pipe(Command.provide(LakeAdmin.layer.pipe(Layer.provide(instance)))),
    migrate,
    status,
    send,
    doctor
  ])
)

const platform = Layer.mergeAll(
  NodeChildProcessSpawner.layer.pipe(Layer.provideMerge(Layer.merge(NodeFileSystem.layer, NodePath.layer))),
  NodeStdio.layer,
  NodeTerminal.layer,
  CliConfig.layer({ builtIns: [GlobalFlag.Help, GlobalFlag.Version, GlobalFlag.Completions] }),
  CliOutput.layerPresenter(presenter)
)

/** Wrong usage exits like a wrong configuration. */
const exitCode = (cause: Cause.Cause<unknown>): { readonly code: number; readonly message: string | null } => {
  const reason = cause.reasons[0]
  if (Cause.hasInterruptsOnly(cause)) return { code: 130, message: null }
  if (reason?._tag !== "Fail") return { code: 1, message: `This should not have happened: ${Cause.pretty(cause)}` }
  const error = reason.error
  if (CliError.isCliError(error)) {
    return { code: error._tag === "ShowHelp" && error.errors.length === 0 ? 0 : REFUSED_TO_START, message: null }
  }
  const tag = error instanceof Error && "_tag" in error ? error._tag : ""
  // Its own output said it already.
  if (tag === "CommandFailure") return { code: 1, message: null }
  return {
    code: tag === "StartError" || tag === "WrongUsage" ? REFUSED_TO_START : 1,
    message: error instanceof Error ? error.message : String(error)
  }
}

if (import.meta.main) {
  const program = Command.runWith(footfall, { version: VERSION })(process.argv.slice(2)).pipe(
    Effect.provide(platform),
    Effect.provide(logging({ format: "pretty", level: "warn" }))
  )
  const fiber = Effect.runFork(program)
  const interrupt = () => void Effect.runFork(Fiber.interrupt(fiber))
  process.on("SIGINT", interrupt)
  process.on("SIGTERM", interrupt)
  fiber.addObserver((exit) => {
    if (Exit.isSuccess(exit)) process.exit(0)
    const { code, message } = exitCode(exit.cause)
    if (message !== null) process.stderr.write(`${message}\n`)
    process.exit(code)
  })
}
