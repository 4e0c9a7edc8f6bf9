import { Console, Effect } from "effect"
import { Command } from "effect/cli"
import { describeProgress } from "../domain/rebuildProgress.ts"
import { replicaJson } from "../http/shared/json/replica.ts"
import { ReplicaAdmin, type ReportedReplica } from "../ports/ReplicaAdmin.ts"
import { CommandFailure } from "./CommandFailure.ts"
import { details, json, plural, printJson } from "./output.ts"
import { bytes, makeProgress, number } from "./progress.ts"

/** How long a check of everything may take, in seconds: about a minute for ten million events. */
const CHECK_SECONDS = 3_600

/** What is shown of a replica that never reported. */
const UNKNOWN = {
  phase: null,
  usable: false,
  why: null,
  as_of: null,
  rebuilt_events: null,
  total_events: null,
  linked_events: null,
  file_bytes: null,
  checked_at: null,
  differences: null
}

const toJson = ({ folder, host, isRunning, reportedAt, status }: ReportedReplica) => ({
  host,
  folder,
  running: isRunning,
  reported_at: reportedAt === null ? null : new Date(reportedAt).toISOString(),
  ...(status === null ? UNKNOWN : replicaJson(status))
})

const describe = (replica: ReportedReplica): string => {
  const { folder, host, isRunning, reportedAt, status } = replica
  const entries: Array<readonly [string, string]> = [
    ["replica", `${folder} on ${host}`],
    ["reported", reportedAt === null ? "never" : new Date(reportedAt).toISOString()]
  ]
  if (!isRunning) entries.push(["running", "no"])
  if (status !== null) {
    entries.push(["phase", status.phase])
    if (status.why !== null) entries.push(["why", status.why])
    if (status.progress !== null) entries.push(["loaded", describeProgress(status.progress, number)])
    if (status.asOf !== null) entries.push(["as of", status.asOf])
    entries.push(["file", bytes(status.bytes)])
    if (status.check !== null) {
      const { at, complete, differences } = status.check
      entries.push([
        "checked",
        `${new Date(at).toISOString()}, ${complete ? "all days" : "the most recent days"}: ${differences === 0 ? "no differences" : `${plural(differences, "day")} differed and ${differences === 1 ? "was" : "were"} read again`}`
      ])
    }
  }
  return details(entries)
}

const print = (replicas: ReadonlyArray<ReportedReplica>, asJson: boolean) =>
  asJson
    ? printJson({ replicas: replicas.map(toJson) })
    : Console.log(
        replicas.length === 0
          ? "No replica follows this database. `bun run full` keeps one with WAREHOUSE=replica."
          : replicas.map(describe).join("\n\n")
      )

const status = Command.make(
  "status",
  { json },
  Effect.fn(function* (flags) {
    yield* print(yield* (yield* ReplicaAdmin).list, flags.json)
  })
).pipe(
  Command.withDescription("Show the columnar replicas as they last reported"),
  Command.withExamples([{ command: "bun run footfall replica status", description: "See how far a rebuild is" }])
)

/** What a check waits for, after so many seconds. */
const waitingFor = (waiting: ReadonlyArray<ReportedReplica>, seconds: number): string => {
  const [rebuilt] = waiting.flatMap(({ status }) => (status?.progress == null ? [] : [status.progress]))
  return rebuilt === undefined
    ? `Comparing with Postgres: ${seconds} s, ${plural(waiting.length, "replica")} to go …`
    : `Waiting for the end of a rebuild: ${describeProgress(rebuilt, number)} …`
}

const check = Command.make(
  "check",
  { json },
  Effect.fn(function* (flags) {
    const progress = yield* makeProgress
    const begun = performance.now()
    const checked = yield* (yield* ReplicaAdmin)
      .check({
        timeoutSeconds: CHECK_SECONDS,
        onProgress: (waiting) =>
          Effect.sync(() => progress.show(waitingFor(waiting, Math.round((performance.now() - begun) / 1_000))))
      })
      .pipe(Effect.ensuring(progress.end))
    yield* print(checked, flags.json)
    if (checked.some(({ status }) => (status?.check?.differences ?? 0) > 0)) {
      return yield* new CommandFailure({ message: "A replica differed from Postgres. What differed is read again." })
    }
  })
).pipe(
  Command.withDescription(
    "Make every running replica compare all days with Postgres; the exit code is 1 if one differed or none runs. Days that differ are read again."
  ),
  Command.withExamples([{ command: "bun run footfall replica check", description: "Prove that the replica is exact" }])
)

const rebuild = Command.make(
  "rebuild",
  { json },
  Effect.fn(function* (flags) {
    const asked = yield* (yield* ReplicaAdmin).rebuild
    if (flags.json) return yield* printJson({ asked })
    yield* Console.log(
      `${plural(asked, "replica")} will be rebuilt; Postgres answers meanwhile. \`bun run footfall replica status\` shows how far it is.`
    )
  })
).pipe(
  Command.withDescription("Make every running replica discard its file and begin again"),
  Command.withExamples([{ command: "bun run footfall replica rebuild", description: "Begin again with an empty file" }])
)

export const replica = Command.make("replica").pipe(
  Command.withDescription("Check the columnar replicas of the events"),
  Command.withSubcommands([status, check, rebuild])
)
