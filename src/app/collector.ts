import { Context, Duration, Effect, Layer } from "effect"
import { DatabaseUrl } from "../../layers/postgres/client/Database.ts"
import { databaseName } from "../../layers/postgres/client/openPool.ts"
import { CollectServer } from "../http/collect/CollectServer.ts"
import { logging, type ProcessControl, runProcess, runToExit } from "../process/run.ts"
import { supervise } from "../process/supervisor.ts"
import { isWorker, joinSupervisor } from "../process/worker.ts"
import { fromEnvironment } from "../settings/environment.ts"
import { HOST, PORT, SHUTDOWN_TIMEOUT_SECONDS, WORKERS } from "../settings/settings.ts"
import { collecting, logOptions, processOptions, runningOf } from "./collecting.ts"
import { warnWithoutAdministrator } from "./warnWithoutAdministrator.ts"

/** Only collects events. */
const collect = (control: ProcessControl) =>
  Effect.gen(function* () {
    const context = yield* Layer.build(
      CollectServer.layer({ ...control, joinSupervisor }).pipe(
        Layer.provideMerge(collecting),
        Layer.provideMerge(DatabaseUrl.layerJoining)
      )
    )
    yield* Effect.logInfo(`The app database is ${databaseName(Context.get(context, DatabaseUrl))}.`)
    yield* Effect.provide(warnWithoutAdministrator, context)
    yield* Effect.logInfo(`Collecting on ${Context.get(context, CollectServer).url}`)
    return runningOf(context)
  })

const superviseWorkers = (workers: number) =>
  Effect.gen(function* () {
    const options = {
      workers,
      hostname: yield* fromEnvironment(HOST),
      port: yield* fromEnvironment(PORT),
      shutdownTimeout: Duration.seconds(yield* fromEnvironment(SHUTDOWN_TIMEOUT_SECONDS))
    }
    return yield* supervise(options).pipe(Effect.provide(logging(yield* logOptions)))
  })

/** `bun run collector`: one process, or `WORKERS` of them under a supervisor. */
export const collector = (): void => {
  if (isWorker()) {
    runProcess(processOptions, collect)
    return
  }
  runToExit(
    Effect.flatMap(fromEnvironment(WORKERS), (workers) =>
      workers === 1
        ? Effect.sync(() => runProcess(processOptions, collect)).pipe(Effect.as(null))
        : superviseWorkers(workers)
    )
  )
}
