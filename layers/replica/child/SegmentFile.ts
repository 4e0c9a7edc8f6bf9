import { type FileHandle, open } from "node:fs/promises"

/** Small chunks are gathered: each write is a round trip to the thread pool. */
const WRITE_BYTES = 1 << 20
const QUOTE = 0x22
const LINE_END = 0x0a

/** A file of CSV that is written in chunks, and begun again when it is full. */
export class SegmentFile {
  bytes = 0
  readonly #path: string
  #file: FileHandle | null
  #parts: Array<Uint8Array> = []
  #gathered = 0
  /** Whether the chunks so far end within quotes, where a line's end is part of a value. */
  #isQuoted = false

  private constructor(path: string, file: FileHandle) {
    this.#path = path
    this.#file = file
  }

  static async open(path: string): Promise<SegmentFile> {
    return new SegmentFile(path, await open(path, "w", 0o600))
  }

  async reopen(): Promise<void> {
    this.#file = await open(this.#path, "w", 0o600)
    this.bytes = 0
  }

  /** Where in the chunk the first row ends with which the file has `limit` bytes; -1 if it does not. Keeps count of quotes. */
  endOfRow(chunk: Uint8Array, limit: number): number {
    const isFull = this.bytes + chunk.length >= limit
    let position = 0
    while (position < chunk.length) {
      const quote = chunk.indexOf(QUOTE, position)
      if (isFull && !this.#isQuoted) {
        const end = chunk.indexOf(LINE_END, position)
        if (end !== -1 && (quote === -1 || end < quote)) {
          this.#count(chunk, end + 1)
          return end + 1
        }
      }
      if (quote === -1) return -1
      this.#isQuoted = !this.#isQuoted
      position = quote + 1
    }
    return -1
  }

  async add(chunk: Uint8Array): Promise<void> {
    this.#parts.push(chunk)
    this.#gathered += chunk.length
    this.bytes += chunk.length
    if (this.#gathered >= WRITE_BYTES) await this.#flush()
  }

  async close(): Promise<void> {
    const file = this.#file
    try {
      await this.#flush()
    } finally {
      this.#file = null
      await file?.close()
    }
  }

  #count(chunk: Uint8Array, from: number): void {
    for (let at = chunk.indexOf(QUOTE, from); at !== -1; at = chunk.indexOf(QUOTE, at + 1))
      this.#isQuoted = !this.#isQuoted
  }

  async #flush(): Promise<void> {
    if (this.#gathered > 0) await this.#file?.write(Buffer.concat(this.#parts))
    this.#parts = []
    this.#gathered = 0
  }
}
