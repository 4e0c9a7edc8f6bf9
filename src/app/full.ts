import { Context, Effect, Layer } from "effect"
import { runPromptly } from "../../layers/inprocess/scheduling.ts"
import { DatabaseUrl } from "../../layers/postgres/client/Database.ts"
import { databaseName } from "../../layers/postgres/client/openPool.ts"
import * as PgMetadata from "../../layers/postgres/metadata/PgMetadata.ts"
import * as PgProperties from "../../layers/postgres/metadata/PgProperties.ts"
import { StartError, startLater } from "../domain/StartError.ts"
import { adminHandler } from "../http/api/server/handler.ts"
import { CollectServer } from "../http/collect/CollectServer.ts"
import { pathBelow } from "../http/shared/basePath.ts"
import { setupUrl } from "../http/shared/links.ts"
import { publicUrl } from "../http/shared/publicUrl.ts"
import { bunRun, shellQuoted } from "../lib/runCommand.ts"
import { VERSION } from "../lib/version.ts"
import { Settings } from "../ports/Settings.ts"
import { Setup } from "../ports/Setup.ts"
import { Sites } from "../ports/Sites.ts"
import { type ProcessControl, runProcess, runToExit } from "../process/run.ts"
import { joinSupervisor } from "../process/worker.ts"
import * as FieldScanner from "../query/metadata/FieldScanner.ts"
import * as Asking from "../query/run/Asking.ts"
import { fromEnvironment } from "../settings/environment.ts"
import {
  BASE_PATH,
  DATA_DIR,
  MODE,
  PORT,
  PUBLIC_URL,
  TRACKER_SCRIPT_FILE,
  TRACKER_SCRIPT_NAME,
  TRACKER_SCRIPT_URL,
  WORKERS
} from "../settings/settings.ts"
import { collecting, processOptions, runningOf } from "./collecting.ts"
import { collector } from "./collector.ts"
import { content } from "./content.ts"
import { warnOfMissingGroups } from "./mappedGroups.ts"
import { servingPeople } from "./people.ts"
import { shipContent } from "./shipContent.ts"
import { siteData } from "./siteData.ts"
import { storageJobs } from "./storages.ts"
import { questionWarehouse } from "./warehouses.ts"
import { warnOfUnfinishedProvider } from "./warnOfUnfinishedProvider.ts"
import { warnWithoutAdministrator } from "./warnWithoutAdministrator.ts"

/** Collects events, serves the admin API and its documentation on the same port, answers queries and runs the background jobs. */
const full = (control: ProcessControl) =>
  Effect.gen(function* () {
    const services = FieldScanner.layer.pipe(
      Layer.provideMerge(
        Layer.mergeAll(
          servingPeople,
          content,
          PgProperties.layer,
          PgMetadata.layer,
          siteData,
          storageJobs,
          questionWarehouse,
          Asking.layer
        )
      ),
      Layer.provideMerge(collecting),
      Layer.provideMerge(DatabaseUrl.layer)
    )
    const context = yield* Layer.build(server(control).pipe(Layer.provideMerge(services)))
    const setupToken = yield* Context.get(context, Setup).createToken.pipe(
      Effect.mapError(({ message }) => startLater(message))
    )
    yield* Effect.provide(shipContent, context)
    yield* Effect.provide(warnWithoutAdministrator, context)
    yield* Effect.provide(warnOfUnfinishedProvider, context)
    yield* Effect.provide(warnOfMissingGroups, context)
    const { port, url } = Context.get(context, CollectServer)
    const database = databaseName(Context.get(context, DatabaseUrl))
    const setup = setupToken === null ? null : setupUrl(publicUrl(Context.get(context, Settings), url), setupToken)
    const hasSites = yield* Effect.provide(hasLiveSites, context)
    process.stdout.write(welcome({ url, database, setup, hasSites, footfall: commandFor(port) }))
    return runningOf(context)
  })

/** Whether there are sites to collect for. If it cannot be known, `doctor` says why. */
const hasLiveSites = Effect.flatMap(Sites, ({ list }) => list({ archived: false, limit: 1 })).pipe(
  Effect.match({ onSuccess: (found) => found.length > 0, onFailure: () => true })
)

const server = (control: ProcessControl) =>
  Layer.unwrap(
    Effect.gen(function* () {
      const admin = yield* adminHandler
      const base = (yield* Settings).get(BASE_PATH)
      return CollectServer.layer({
        ...control,
        joinSupervisor,
        fallback: (request, listening) =>
          pathBelow(base, new URL(request.url).pathname) === "/"
            ? Promise.resolve(Response.redirect(`${base ?? ""}/docs`, 302))
            : admin(request, listening)
      })
    })
  )

/** What the command line needs to know of this process's environment. Other settings matter only to the server, or are secret. */
const FOR_COMMANDS = [
  DATA_DIR,
  BASE_PATH,
  PUBLIC_URL,
  TRACKER_SCRIPT_FILE,
  TRACKER_SCRIPT_NAME,
  TRACKER_SCRIPT_URL
] as const

/** How to call the command line in another shell, whose environment may lack what this process was started with. */
const commandFor = (port: number): string => {
  const variables = [
    ...(port === PORT.default ? [] : [`PORT=${port}`]),
    ...FOR_COMMANDS.flatMap(({ env }) => {
      const value = process.env[env]
      return value === undefined ? [] : [`${env}=${/^[\w./:@%+=,-]+$/.test(value) ? value : shellQuoted(value)}`]
    })
  ]
  return [...variables, bunRun(process.env["PATH"] ?? ""), "footfall"].join(" ")
}

interface Welcome {
  readonly url: string
  readonly database: string
  /** The link to create the first administrator with; null once there is one. */
  readonly setup: string | null
  /** Without sites, it says how to add one. */
  readonly hasSites: boolean
  /** How to call the command line. */
  readonly footfall: string
}

const welcome = ({ database, footfall, hasSites, setup, url }: Welcome): string =>
  [
    "",
    `  Footfall ${VERSION} listens on ${url}`,
    `  The app database is ${database}`,
    "",
    ...(setup === null
      ? []
      : ["  Create the first administrator with this link, which works once:", "", `    ${setup}`, ""]),
    ...(hasSites
      ? []
      : [
          "  Add a site, and paste the snippet it prints into your pages:",
          "",
          `    ${footfall} sites create --name "My site" --domain example.com`,
          ""
        ]),
    `  API documentation: ${url}/docs`,
    "",
    ...(process.stdout.isTTY ? ["  Press Ctrl-C to stop.", ""] : []),
    ""
  ].join("\n")

/** `bun run full`; with `MODE=collector`, only the collector. */
export const runFull = (): void =>
  runToExit(
    Effect.gen(function* () {
      if ((yield* fromEnvironment(MODE)) === "collector") {
        collector()
        return null
      }
      if ((yield* fromEnvironment(WORKERS)) > 1) {
        return yield* new StartError({
          message:
            "WORKERS applies to collectors: run `bun run collector` with it, alongside one `bun run full` with WORKERS=1."
        })
      }
      runPromptly()
      runProcess(processOptions, full)
      return null
    })
  )
