import { readFileSync } from "node:fs"
import { isAbsolute, join } from "node:path"
import { initSync } from "parquet-wasm/esm/parquet_wasm.js"
import wasmPath from "parquet-wasm/esm/parquet_wasm_bg.wasm" with { type: "file" }

let initialized = false

/** Loads parquet-wasm, once per thread. Takes about 40 ms, so it runs on first use. */
export const initParquet = (): void => {
  if (initialized) return
  // In a bundle, the path is relative to the bundled file.
  initSync({ module: readFileSync(isAbsolute(wasmPath) ? wasmPath : join(import.meta.dir, wasmPath)) })
  initialized = true
}
