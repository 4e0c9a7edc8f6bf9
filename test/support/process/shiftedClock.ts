import { readFileSync } from "node:fs"

/*
 * Preloaded into a process: its clock, in every thread, is off by as many ms as the file named in CLOCK_SHIFT_FILE says. The passing of
 * time is not affected.
 */

/** Interval at which the file is read, in ms. */
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
