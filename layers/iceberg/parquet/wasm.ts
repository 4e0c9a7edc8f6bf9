import { readFileSync } from "node:fs"
import { isAbsolute, join } from "node:path"
import { initSync } from "parquet-wasm/esm/parquet_wasm.js"
import wasmPath from "parquet-wasm/esm/parquet_wasm_bg.wasm" with { type: "file" }

let initialized = false

/** Loads parquet-wasm, once for each thread; some 40 ms, so never before the first use. */
export const initParquet = (): void => {
  if (initialized) return
  // In a bundle, its name beside the file that names it.
  initSync({ module: readFileSync(isAbsolute(wasmPath) ? wasmPath : join(import.meta.dir, wasmPath)) })
  initialized = true
}
