import * as NodeChildProcessSpawner from "@effect/platform-node-shared/NodeChildProcessSpawner"
import * as NodeFileSystem from "@effect/platform-node-shared/NodeFileSystem"
import * as NodePath from "@effect/platform-node-shared/NodePath"
import * as NodeStdio from "@effect/platform-node-shared/NodeStdio"
import * as NodeTerminal from "@effect/platform-node-shared/NodeTerminal"
import { Cause, Clock, Console, Effect, Exit, Fiber, Layer } from "effect"
import { CliConfig, CliError, CliOutput, Command, GlobalFlag } from "effect/cli"
import * as LakeAdmin from "../../layers/lake/LakeAdmin.ts"
import * as LicenseGate from "../../layers/license/LicenseGate.ts"
import * as LocalSecretFile from "../../layers/local/LocalSecretFile.ts"
import { AppDatabase, DatabaseUrl } from "../../layers/postgres/client/Database.ts"
import { MIGRATIONS } from "../../layers/postgres/client/migrate.ts"
import * as Changes from "../../layers/postgres/control/Changes.ts"
import * as PgSettings from "../../layers/postgres/control/PgSettings.ts"
import * as PgSites from "../../layers/postgres/control/PgSites.ts"
import * as PgPartitions from "../../layers/postgres/events/PgPartitions.ts"
import * as PgProperties from "../../layers/postgres/metadata/PgProperties.ts"
import * as PgPropertyAdmin from "../../layers/postgres/metadata/PgPropertyAdmin.ts"
import * as PgReplicaAdmin from "../../layers/replica/PgReplicaAdmin.ts"
import { ask } from "../cli/ask.ts"
import { AskDirectly } from "../cli/askAnywhere.ts"
import { backup, restore } from "../cli/backup.ts"
import { CommandFailure } from "../cli/CommandFailure.ts"
import * as demo from "../cli/demo.ts"
import { doctor } from "../cli/doctor/doctor.ts"
import * as groups from "../cli/groups.ts"
import * as keys from "../cli/keys.ts"
import { lake } from "../cli/lake/lake.ts"
import { migrate } from "../cli/migrate.ts"
import { partitions } from "../cli/partitions.ts"
import { presenter } from "../cli/presenter.ts"
import { properties } from "../cli/properties.ts"
import { query } from "../cli/query.ts"
import { refuseSecondInstance } from "../cli/refuseSecondInstance.ts"
import { replica } from "../cli/replica.ts"
import { send } from "../cli/send.ts"
import * as settings from "../cli/settings.ts"
import { create } from "../cli/sites/create.ts"
import { archive } from "../cli/sites/delete.ts"
import { list } from "../cli/sites/list.ts"
import { reset } from "../cli/sites/reset.ts"
import { show } from "../cli/sites/show.ts"
import { sites } from "../cli/sites/sites.ts"
import { stats } from "../cli/sites/stats.ts"
import { update } from "../cli/sites/update.ts"
import { status } from "../cli/status.ts"
import { UsageError } from "../cli/UsageError.ts"
import * as users from "../cli/users.ts"
import { LOCAL_COMMAND } from "../domain/Principal.ts"
import { StartError } from "../domain/StartError.ts"
import { VERSION } from "../lib/version.ts"
import * as Demo from "../pipeline/demo/Demo.ts"
import { CurrentPrincipal } from "../ports/CurrentPrincipal.ts"
import { FeatureGate, offMessage } from "../ports/FeatureGate.ts"
import { LAKE_TABLE_NAMES, LakeAdmin as LakeAdminPort } from "../ports/LakeAdmin.ts"
import { LocalToken } from "../ports/LocalCommands.ts"
import { Migrations } from "../ports/Migrations.ts"
import { Properties } from "../ports/Properties.ts"
import { QueryEngine } from "../ports/QueryEngine.ts"
import { Settings } from "../ports/Settings.ts"
import { Sites } from "../ports/Sites.ts"
import { REFUSED_TO_START } from "../process/exitCodes.ts"
import { logging } from "../process/run.ts"
import { askQuestion } from "../query/answer.ts"
import { contextOf } from "../query/plan/contextOf.ts"
import { STORAGE_BACKEND } from "../settings/settings.ts"
import { checkTimeZone } from "../settings/timeZone.ts"
import { backups } from "./backups.ts"
import * as Diagnostics from "./diagnostics.ts"
import { people } from "./people.ts"
import { siteData } from "./siteData.ts"
import { storage } from "./storages.ts"
import { quietly, quietWarehouse } from "./warehouses.ts"

/** The app database, joined or started, and migrated. Invalid settings are ignored, so that a command can correct them. */
const instanceOn = (database: Layer.Layer<DatabaseUrl, StartError>) =>
  Layer.merge(PgSites.layer, people).pipe(
    Layer.provideMerge(PgSettings.layerWith({ environment: process.env, rejectInvalid: false })),
    Layer.provideMerge(Changes.layer),
    Layer.provideMerge(AppDatabase.layer),
    Layer.provideMerge(database)
  )

/** An instance that exists. An empty one in a folder that was named by mistake would answer with nothing, and hide the mistake. */
const instance = instanceOn(DatabaseUrl.layerExisting)

/** Created if needed, unless it would be a second one by mistake. */
const newDatabase = DatabaseUrl.layerIf(refuseSecondInstance)

/** For commands that may be the first of an instance. */
const newInstance = instanceOn(newDatabase)

/** Repairs the lake's catalog in a database that was just restored. */
const recoverLake = Effect.flatMap(LakeAdminPort, ({ recover }) =>
  recover({ tables: LAKE_TABLE_NAMES, dryRun: false, force: false })
).pipe(Effect.provide(LakeAdmin.layer.pipe(Layer.provide(instance))), Effect.scoped)

/** Saves the demo's events itself. A lake's storage has a spool on disk, which belongs to the processes that collect. */
const demoOn = (database: typeof instance) =>
  Layer.merge(
    Demo.layer.pipe(
      Layer.provide(
        Layer.unwrap(
          Effect.gen(function* () {
            if ((yield* Settings).get(STORAGE_BACKEND) === "postgres") return storage
            return yield* new StartError({
              message:
                "With STORAGE_BACKEND=iceberg, the running server creates the demo site: POST /api/ee/product-analytics/demo with an API key."
            })
          })
        )
      ),
      Layer.provide(siteData)
    ),
    PgReplicaAdmin.layer
  ).pipe(Layer.provideMerge(database))

/** Answers a question without a server. The app database is opened only then. */
const askDirectly = Layer.succeed(
  AskDirectly,
  AskDirectly.of((question) =>
    Effect.gen(function* () {
      const license = (yield* FeatureGate).state()
      if (license._tag === "Off") {
        return yield* new CommandFailure({ message: offMessage(license.why) })
      }
      const all = yield* (yield* Sites).list({ archived: true })
      const now = Temporal.Instant.fromEpochMilliseconds(yield* Clock.currentTimeMillis)
      const context = contextOf(all, { properties: yield* Properties, settings: yield* Settings, now })
      return yield* askQuestion(yield* QueryEngine, context, question)
    }).pipe(
      Effect.provide(
        Layer.mergeAll(quietWarehouse, LicenseGate.layer.pipe(quietly)).pipe(
          Layer.provideMerge(PgProperties.layer),
          Layer.provideMerge(instance)
        )
      ),
      Effect.catchTags({
        SitesError: ({ message }) => Effect.fail(new CommandFailure({ message })),
        StartError: ({ message, outside }) =>
          Effect.fail(outside === true ? new CommandFailure({ message }) : new UsageError({ message }))
      })
    )
  )
)

/** Opening the app database applies its pending migrations. */
const migrations = Layer.succeed(Migrations, {
  apply: Layer.build(AppDatabase.layer.pipe(Layer.provide(newDatabase))).pipe(
    Effect.scoped,
    Effect.as(MIGRATIONS.at(-1)?.name ?? "none")
  )
})

const footfall = Command.make("footfall").pipe(
  Command.withDescription(
    "Footfall, a first-party collector for Umami's tracker. The app database is DATABASE_URL, otherwise the embedded Postgres in DATA_DIR, which a command starts if needed and stops when it ends. Commands that set something up create it if needed, unless Footfall runs on PORT with another one."
  ),
  Command.withExamples([
    {
      command: 'bun run footfall sites create --name "My shop" --domain example.com',
      description: "Register a site and get the snippet for its pages"
    },
    {
      command: "bun run footfall send --site 3f1c2d4e-5b6a-4c7d-8e9f-0a1b2c3d4e5f",
      description: "Check whether the running server stores the site's events"
    },
    { command: "bun run footfall doctor", description: "Check configuration, connections and setup" }
  ]),
  Command.withSubcommands([
    sites.pipe(
      Command.withSubcommands([
        Command.provide(create, newInstance),
        Command.provide(list, instance),
        Command.provide(show, instance),
        stats.pipe(Command.provide(quietWarehouse), Command.provide(instance)),
        Command.provide(update, instance),
        Command.provide(archive, instance),
        reset.pipe(Command.provide(siteData), Command.provide(instance))
      ])
    ),
    settings.settings.pipe(
      Command.withSubcommands([
        Command.provide(settings.list, instance),
        Command.provide(settings.get, instance),
        Command.provide(settings.set, newInstance),
        Command.provide(settings.unset, instance)
      ])
    ),
    keys.keys.pipe(
      Command.withSubcommands([
        Command.provide(keys.create, newInstance),
        Command.provide(keys.list, instance),
        Command.provide(keys.revoke, instance)
      ])
    ),
    groups.groups.pipe(
      Command.withSubcommands([
        Command.provide(groups.create, newInstance),
        Command.provide(groups.list, instance),
        Command.provide(groups.remove, instance),
        Command.provide(groups.add, instance),
        Command.provide(groups.leave, instance)
      ])
    ),
    users.users.pipe(
      Command.withSubcommands([
        Command.provide(users.create, newInstance),
        Command.provide(users.list, instance),
        Command.provide(users.disable, instance),
        Command.provide(users.enable, instance),
        Command.provide(users.remove, instance),
        Command.provide(users.resetLink, instance)
      ])
    ),
    lake.pipe(Command.provide(LakeAdmin.layer.pipe(Layer.provide(instance)))),
    partitions.pipe(Command.provide(PgPartitions.layer.pipe(Layer.provideMerge(instance)))),
    properties.pipe(
      Command.provide(PgPropertyAdmin.layer.pipe(Layer.provide(quietWarehouse), Layer.provide(instance)))
    ),
    ask.pipe(Command.provide(askDirectly)),
    demo.demo.pipe(
      Command.provide(demoOn(newInstance)),
      Command.withSubcommands([demo.remove.pipe(Command.provide(demoOn(instance)))])
    ),
    query.pipe(Command.provide(askDirectly)),
    replica.pipe(Command.provide(PgReplicaAdmin.layer.pipe(Layer.provide(instance)))),
    migrate.pipe(Command.provide(migrations)),
    backup.pipe(Command.provide(backups(recoverLake))),
    restore.pipe(Command.provide(backups(recoverLake))),
    status,
    send,
    doctor.pipe(Command.provide(Diagnostics.layer))
  ])
)

const platform = Layer.mergeAll(
  NodeChildProcessSpawner.layer.pipe(Layer.provideMerge(Layer.merge(NodeFileSystem.layer, NodePath.layer))),
  NodeStdio.layer,
  NodeTerminal.layer,
  CliConfig.layer({ builtIns: [GlobalFlag.Help, GlobalFlag.Version, GlobalFlag.Completions] }),
  CliOutput.layerPresenter(presenter)
)

const exitWithError = (code: number) => (error: { readonly message: string }) =>
  Effect.as(Console.error(error.message), code)

/** Runs a command and returns its exit code: 1 for a failure, 2 for an invalid call or configuration. */
const run = (args: ReadonlyArray<string>): Effect.Effect<number> =>
  checkTimeZone.pipe(
    Effect.andThen(Command.runWith(footfall, { version: VERSION })(args)),
    Effect.as(0),
    Effect.catchTags({
      // The command's output already reports it.
      CommandFailure: () => Effect.succeed(1),
      UsageError: exitWithError(REFUSED_TO_START),
      StartError: (error) => exitWithError(error.outside === true ? 1 : REFUSED_TO_START)(error)
    }),
    Effect.catch((error) => {
      if (!CliError.isCliError(error)) return exitWithError(1)(error)
      // Requested help is not an error; the presenter has printed every other one.
      return Effect.succeed(error._tag === "ShowHelp" && error.errors.length === 0 ? 0 : REFUSED_TO_START)
    }),
    Effect.catchCause((cause) =>
      Cause.hasInterruptsOnly(cause)
        ? Effect.failCause(cause)
        : exitWithError(1)({ message: `This is a bug in Footfall: ${Cause.pretty(cause)}` })
    ),
    Effect.provide(platform),
    Effect.provideService(CurrentPrincipal, LOCAL_COMMAND),
    Effect.provideService(LocalToken, LocalSecretFile.token),
    Effect.provide(logging({ format: "pretty", level: "warn" }))
  )

/** The shell's exit code for a process that SIGINT ended. */
const INTERRUPTED = 130

/** Runs a command, and ends the process with its exit code. */
export const runCli = (args: ReadonlyArray<string>): void => {
  const fiber = Effect.runFork(run(args))
  const interrupt = () => void Effect.runFork(Fiber.interrupt(fiber))
  process.on("SIGINT", interrupt)
  process.on("SIGTERM", interrupt)
  fiber.addObserver((exit) => process.exit(Exit.isSuccess(exit) ? exit.value : INTERRUPTED))
}
