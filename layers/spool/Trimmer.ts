import type { Segments } from "./Segments.ts"
import type { SpoolFiles } from "./SpoolFiles.ts"
import { TRIMMED_FILE } from "./segmentNames.ts"
import { replaceFile } from "./smallFiles.ts"

/** What decides which segments may be removed. */
export interface TrimmedSpool {
  readonly durable: number
  /** The frames that the previous owner wrote last have not been written again yet. */
  readonly isCarryingOver: boolean
}

/** Notes how far the spool is trimmed and removes segments that hold nothing past that, one trim after the other. */
export class Trimmer {
  readonly #files: SpoolFiles
  readonly #segments: Segments
  readonly #spool: TrimmedSpool
  #trimmed: number
  #trimTarget: number
  #lastTrim: Promise<void> = Promise.resolve()
  #running = 0

  constructor(files: SpoolFiles, segments: Segments, spool: TrimmedSpool, trimmed: number) {
    this.#files = files
    this.#segments = segments
    this.#spool = spool
    this.#trimmed = trimmed
    this.#trimTarget = trimmed
  }

  /** Resolves when the last trim has ended, whether or not it failed. */
  get idle(): Promise<void> {
    return this.#lastTrim
  }

  /** Trims up to the position. Rejects with the disk's error; `retry` tries again. */
  trim(upTo: number): Promise<void> {
    if (upTo <= this.#trimmed) return Promise.resolve()
    this.#trimTarget = Math.max(this.#trimTarget, upTo)
    return this.#enqueue()
  }

  /** Does what earlier trims could not. Never rejects: their callers got the error. */
  async retry(): Promise<void> {
    if (this.#running > 0 || (this.#trimTarget <= this.#trimmed && this.#removable().length === 0)) return
    await this.#enqueue().catch(() => {})
  }

  #removable(): ReadonlyArray<number> {
    return this.#segments.removable(this.#trimmed, this.#spool.durable, this.#spool.isCarryingOver)
  }

  #enqueue(): Promise<void> {
    this.#running++
    const trim = this.#lastTrim
      .then(() => this.#trim())
      .finally(() => {
        this.#running--
      })
    this.#lastTrim = trim.catch(() => {})
    return trim
  }

  async #trim(): Promise<void> {
    if (this.#trimTarget > this.#trimmed) {
      const upTo = this.#trimTarget
      await replaceFile(this.#files, TRIMMED_FILE, String(upTo))
      this.#trimmed = upTo
    }
    for (const start of this.#removable()) await this.#segments.remove(start)
  }
}
