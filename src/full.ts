import "effect/schema/SchemaJITCompiler/enable"
import { Context, Effect, Layer } from "effect"
import { layer as pgAdminKeys } from "../layers/postgres/control/PgAdminKeys.ts"
import { PartitionJob } from "../layers/postgres/events/PartitionJob.ts"
import { collecting, logOptions, runningOf } from "./app/collecting.ts"
import { collector } from "./app/collector.ts"
import { storageJob } from "./app/storages.ts"
import { warehouse } from "./app/warehouses.ts"
import { StartError } from "./domain/StartError.ts"
import { adminHandler } from "./http/api/server/handler.ts"
import { CollectServer } from "./http/collect/CollectServer.ts"
import { VERSION } from "./lib/version.ts"
import { AdminKeys } from "./ports/AdminKeys.ts"
import { runProcess, runToExit } from "./process/run.ts"
import { fromEnvironment } from "./settings/environment.ts"
import { MODE, WORKERS } from "./settings/settings.ts"

/** Collects, and serves the admin API and its documentation on the same port; answers questions, runs the background jobs. */
const full = (stop: () => void) =>
  Effect.gen(function* () {
    const server = Layer.unwrap(
      Effect.gen(function* () {
        const admin = yield* adminHandler
        return CollectServer.layer({
          stop,
          fallback: (request, listening) =>
            new URL(request.url).pathname === "/"
              ? Promise.resolve(Response.redirect("/docs", 302))
              : admin(request, listening)
        })
      })
    )
    const services = Layer.mergeAll(pgAdminKeys, PartitionJob, storageJob, warehouse).pipe(
      Layer.provideMerge(collecting)
    )
    const context = yield* Layer.build(server.pipe(Layer.provideMerge(services)))
    const firstKey = yield* Context.get(context, AdminKeys).createFirst.pipe(
      Effect.mapError(({ message }) => new StartError({ message }))
    )
    process.stdout.write(welcome(Context.get(context, CollectServer).url, firstKey))
    return runningOf(context)
  })

const welcome = (url: string, firstKey: string | null): string =>
  [
    "",
    `  Footfall ${VERSION} listens on ${url}`,
    "",
    ...(firstKey === null
      ? []
      : ["  Your admin key, shown this once (`bun run footfall keys create` makes more):", "", `    ${firstKey}`, ""]),
    "  Add a site, and paste the snippet that it prints into your pages:",
    "",
    '    bun run footfall sites create --name "My site" --domain example.com',
    "",
    `  API and its documentation: ${url}/docs`,
    "",
    ""
  ].join("\n")

/** `bun run full`, or with `MODE=collector` the collector alone. */
const main = Effect.gen(function* () {
  if ((yield* fromEnvironment(MODE)) === "collector") {
    collector()
    return null
  }
  if ((yield* fromEnvironment(WORKERS)) > 1) {
    return yield* new StartError({
      message: "WORKERS is for collectors: start `bun run collector` with it, beside one `bun run full` with WORKERS=1."
    })
  }
  runProcess(logOptions, full)
  return null
})

runToExit(main)
