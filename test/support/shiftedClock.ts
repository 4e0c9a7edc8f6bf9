import { readFileSync } from "node:fs"

/*
 * Preloaded into a process: its clock is off by as many ms as the file says that CLOCK_SHIFT_FILE names, in every thread. Time
 * that passes is not touched.
 */

/** How often the file is looked at, in ms. */
const LOOK_MS = 20

const file = process.env["CLOCK_SHIFT_FILE"]!
const now = Date.now
let shift = 0
let lookedAt = Number.NEGATIVE_INFINITY
Date.now = () => {
  if (performance.now() - lookedAt > LOOK_MS) {
    lookedAt = performance.now()
    shift = Number(readFileSync(file, "utf8"))
  }
  return now() + shift
}

const Thread = globalThis.Worker
globalThis.Worker = class extends Thread {
  constructor(url: string | URL, options: WorkerOptions = {}) {
    super(url, { ...options, preload: [import.meta.path] })
  }
}
