import { Context, Effect, Layer } from "effect"
import { DatabaseUrl } from "../../layers/postgres/client/Database.ts"
import { databaseName } from "../../layers/postgres/client/openPool.ts"
import * as PgAdminKeys from "../../layers/postgres/control/PgAdminKeys.ts"
import { StartError, startLater } from "../domain/StartError.ts"
import { adminHandler } from "../http/api/server/handler.ts"
import { CollectServer } from "../http/collect/CollectServer.ts"
import { pathBelow } from "../http/shared/basePath.ts"
import { bunRun, shellQuoted } from "../lib/runCommand.ts"
import { VERSION } from "../lib/version.ts"
import { AdminKeys } from "../ports/AdminKeys.ts"
import { Settings } from "../ports/Settings.ts"
import { type ProcessControl, runProcess, runToExit } from "../process/run.ts"
import { joinSupervisor } from "../process/worker.ts"
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
import { storageJobs } from "./storages.ts"
import { warehouse } from "./warehouses.ts"

/** Collects events, serves the admin API and its documentation on the same port, answers queries and runs the background jobs. */
const full = (control: ProcessControl) =>
  Effect.gen(function* () {
    const services = Layer.mergeAll(PgAdminKeys.layer, storageJobs, warehouse).pipe(
      Layer.provideMerge(collecting),
      Layer.provideMerge(DatabaseUrl.layer)
    )
    const context = yield* Layer.build(server(control).pipe(Layer.provideMerge(services)))
    const firstKey = yield* Context.get(context, AdminKeys).createFirst.pipe(
      Effect.mapError(({ message }) => startLater(message))
    )
    const { port, url } = Context.get(context, CollectServer)
    const database = databaseName(Context.get(context, DatabaseUrl))
    process.stdout.write(welcome({ url, database, firstKey, footfall: commandFor(port) }))
    return runningOf(context)
  })

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
  readonly firstKey: string | null
  /** How to call the command line. */
  readonly footfall: string
}

const welcome = ({ database, firstKey, footfall, url }: Welcome): string =>
  [
    "",
    `  Footfall ${VERSION} listens on ${url}`,
    `  The app database is ${database}`,
    "",
    ...(firstKey === null
      ? []
      : [
          "  Your admin key, shown only this once:",
          "",
          `    ${firstKey}`,
          "",
          `  To create more: ${footfall} keys create`,
          ""
        ]),
    "  Add a site, and paste the snippet it prints into your pages:",
    "",
    `    ${footfall} sites create --name "My site" --domain example.com`,
    "",
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
      runProcess(processOptions, full)
      return null
    })
  )
