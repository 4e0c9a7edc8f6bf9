import { spawn } from "node:child_process"
import { closeSync, openSync } from "node:fs"
import { join } from "node:path"
import { Effect } from "effect"
import { StartError } from "../../../src/domain/StartError.ts"
import { canEnter } from "./account.ts"
import { diskFull } from "./fileError.ts"
import type { Place } from "./Place.ts"

const PROGRAM_TIMEOUT_MS = 60_000
/** How much of a program's output is quoted in an error message. */
export const OUTPUT_TAIL_BYTES = 2_000

export const childOptions = ({ account, binaries }: Place) => ({
  ...account,
  cwd: "/",
  env: { PATH: "/usr/bin:/bin", LC_ALL: "C", TZ: "UTC", LD_LIBRARY_PATH: join(binaries.folder, "..", "lib") }
})

/**
 * The path by which the server's account reaches the cluster. As root, we may run in a folder that the account cannot enter, such as a
 * clone in /root. The account owns the cluster, so it gets the folder as an open descriptor, whose path requires no permission above it.
 */
export const openCluster = ({
  account,
  cluster
}: Place): { readonly path: string; readonly descriptor: number | undefined } =>
  account === undefined || process.platform !== "linux" || canEnter(cluster, account)
    ? { path: cluster, descriptor: undefined }
    : { path: "/proc/self/fd/3", descriptor: openSync(cluster, "r") }

export const NO_SPACE = "No space left on device"

/** Runs one of Postgres' programs on the cluster until it exits. */
export const runProgram = Effect.fnUntraced(function* (
  place: Place,
  program: "initdb" | "postgres",
  args: (cluster: string) => ReadonlyArray<string>,
  input = ""
) {
  const outcome = yield* Effect.callback<{ readonly code: number | null; readonly output: string }>((resume) => {
    const { descriptor, path } = openCluster(place)
    const child = spawn(join(place.binaries.folder, program), args(path), {
      ...childOptions(place),
      stdio: ["pipe", "pipe", "pipe", descriptor ?? "ignore"],
      timeout: PROGRAM_TIMEOUT_MS
    })
    if (descriptor !== undefined) closeSync(descriptor)
    let output = ""
    const keep = (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-OUTPUT_TAIL_BYTES)
    }
    child.stdout?.on("data", keep)
    child.stderr?.on("data", keep)
    child.on("error", (error) => resume(Effect.succeed({ code: null, output: output + String(error) })))
    child.on("close", (code) => resume(Effect.succeed({ code, output })))
    child.stdin?.on("error", () => {})
    child.stdin?.end(input)
    return Effect.sync(() => child.kill("SIGKILL"))
  })
  if (outcome.code === 0) return
  if (outcome.output.includes(NO_SPACE)) return yield* diskFull(place.cluster)
  return yield* new StartError({
    message: `Can't set up the embedded Postgres in ${place.cluster}: ${program} exited with ${outcome.code ?? "no status"}.\n${outcome.output.trim()}\nSet DATABASE_URL to use another Postgres.`
  })
})
