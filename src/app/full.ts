import { Context, Effect, Layer } from "effect"
import * as PgAdminKeys from "../../layers/postgres/control/PgAdminKeys.ts"
import { StartError } from "../domain/StartError.ts"
import { adminHandler } from "../http/api/server/handler.ts"
import { CollectServer } from "../http/collect/CollectServer.ts"
import { VERSION } from "../lib/version.ts"
import { AdminKeys } from "../ports/AdminKeys.ts"
import { runProcess, runToExit } from "../process/run.ts"
import { joinSupervisor } from "../process/worker.ts"
import { fromEnvironment } from "../settings/environment.ts"
import { MODE, WORKERS } from "../settings/settings.ts"
import { collecting, logOptions, runningOf } from "./collecting.ts"
import { collector } from "./collector.ts"
import { storageJobs } from "./storages.ts"
import { warehouse } from "./warehouses.ts"

/** Collects events, serves the admin API and its documentation on the same port, answers queries and runs the background jobs. */
const full = (stop: () => void) =>
  Effect.gen(function* () {
    const services = Layer.mergeAll(PgAdminKeys.layer, storageJobs, warehouse).pipe(Layer.provideMerge(collecting))
    const context = yield* Layer.build(server(stop).pipe(Layer.provideMerge(services)))
    const firstKey = yield* Context.get(context, AdminKeys).createFirst.pipe(
      Effect.mapError(({ message }) => new StartError({ message }))
    )
    process.stdout.write(welcome(Context.get(context, CollectServer).url, firstKey))
    return runningOf(context)
  })

const server = (stop: () => void) =>
  Layer.unwrap(
    Effect.map(adminHandler, (admin) =>
      CollectServer.layer({
        stop,
        joinSupervisor,
        fallback: (request, listening) =>
          new URL(request.url).pathname === "/"
            ? Promise.resolve(Response.redirect("/docs", 302))
            : admin(request, listening)
      })
    )
  )

const welcome = (url: string, firstKey: string | null): string =>
  [
    "",
    `  Footfall ${VERSION} listens on ${url}`,
    "",
    ...(firstKey === null
      ? []
      : [
          "  Your admin key, shown only this once (`bun run footfall keys create` creates more):",
          "",
          `    ${firstKey}`,
          ""
        ]),
    "  Add a site, and paste the snippet it prints into your pages:",
    "",
    '    bun run footfall sites create --name "My site" --domain example.com',
    "",
    `  API documentation: ${url}/docs`,
    "",
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
      runProcess(logOptions, full)
      return null
    })
  )
