import { existsSync, readdirSync } from "node:fs"
import { delimiter, join } from "node:path"
import { Effect, Redacted, Result } from "effect"
import { BackupError } from "../../../src/ports/Backups.ts"
import { parseDatabaseUrl } from "../client/url/DatabaseTarget.ts"

export type ClientProgram = "pg_dump" | "pg_restore"

/** Where Debian, Red Hat and Homebrew install the programs of several versions of Postgres next to each other. */
const VERSIONED_FOLDERS = ["/usr/lib/postgresql", "/usr", "/opt/homebrew/opt", "/usr/local/opt"]
/** How much of a program's output is quoted in an error. */
const OUTPUT_LENGTH = 2_000

const foldersIn = (parent: string): ReadonlyArray<string> =>
  existsSync(parent)
    ? readdirSync(parent)
        .filter((name) => /^(?:\d+|pgsql-\d+|postgresql@\d+|libpq)$/.test(name))
        .map((name) => join(parent, name, "bin"))
    : []

const majorOf = (file: string): number | null => {
  const { stdout, success } = Bun.spawnSync([file, "--version"], { stderr: "ignore" })
  const major = success ? / (\d+)(?:\.|devel|beta|rc|\s|$)/.exec(stdout.toString())?.[1] : undefined
  return major === undefined ? null : Number(major)
}

/** The program that fits a server of this major version: of the same version, or else the oldest newer one. pg_dump refuses newer servers. */
export const findProgram = Effect.fnUntraced(function* (
  program: ClientProgram,
  serverMajor: number,
  path: string
): Effect.fn.Return<string, BackupError> {
  const folders = [...path.split(delimiter), ...VERSIONED_FOLDERS.flatMap(foldersIn)]
  const found = folders
    .map((folder) => join(folder, program))
    .filter((file, index, files) => existsSync(file) && files.indexOf(file) === index)
    .flatMap((file) => {
      const major = majorOf(file)
      return major === null ? [] : [{ file, major }]
    })
  const usable = found.filter(({ major }) => major >= serverMajor).sort((a, b) => a.major - b.major)
  if (usable[0] !== undefined) return usable[0].file
  const versions = found.length === 0 ? "none is installed" : `installed: ${found.map(({ major }) => major).join(", ")}`
  return yield* new BackupError({
    message: `A Postgres ${serverMajor} needs ${program} of version ${serverMajor} or newer; ${versions}. Install the package postgresql-client-${serverMajor}, or add the folder of ${program} to PATH.`
  })
})

/** The connection as libpq's environment: other users of the machine can see a program's arguments. */
const environmentOf = (url: Redacted.Redacted<string>): Result.Result<Readonly<Record<string, string>>, string> =>
  Result.map(parseDatabaseUrl(Redacted.value(url)), (target) => {
    const variables: Readonly<Record<string, string | undefined>> = {
      PGHOST: target.servers.map(({ host }) => host).join(","),
      PGPORT: target.servers.map(({ port }) => port).join(","),
      PGUSER: target.username,
      PGPASSWORD: target.password === undefined ? undefined : Redacted.value(target.password),
      PGDATABASE: target.database,
      PGOPTIONS: target.options,
      PGSSLMODE: target.tlsMode,
      PGSSLROOTCERT: target.rootCertificate,
      PGSSLCERT: target.certificate,
      PGSSLKEY: target.key,
      PGTARGETSESSIONATTRS: "read-write",
      PGCONNECT_TIMEOUT: target.connectTimeoutSeconds?.toString()
    }
    return Object.fromEntries(
      Object.entries(variables).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]))
    )
  })

/** Runs a program on a database until it ends. Interrupting it kills the program. */
export const runProgram = Effect.fnUntraced(function* (
  file: string,
  database: Redacted.Redacted<string>,
  args: ReadonlyArray<string>
): Effect.fn.Return<void, BackupError> {
  const environment = yield* Effect.mapError(
    Effect.fromResult(environmentOf(database)),
    (problem) => new BackupError({ message: `DATABASE_URL can't be used: ${problem}.` })
  )
  const child = Bun.spawn([file, "--no-password", `--dbname=${environment["PGDATABASE"]}`, ...args], {
    env: { ...process.env, ...environment, LC_ALL: "C" },
    stdio: ["ignore", "ignore", "pipe"]
  })
  const { code, output } = yield* Effect.promise(async () => ({
    output: await new Response(child.stderr).text(),
    code: await child.exited
  })).pipe(Effect.onInterrupt(() => Effect.sync(() => child.kill("SIGKILL"))))
  if (code === 0) return
  return yield* new BackupError({ message: `${file} failed (${code}): ${output.trim().slice(-OUTPUT_LENGTH)}` })
})
