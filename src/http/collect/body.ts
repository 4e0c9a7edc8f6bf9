import { promisify } from "node:util"
import { gunzip } from "node:zlib"
import { type Effect, Exit } from "effect"
import { callbackEffect } from "../../lib/callbackEffect.ts"

/** Why there is no JSON value: not JSON, too large, too late, no room for more bodies, or the client left. */
export type BodyFailureReason = "Malformed" | "TooLarge" | "Timeout" | "Busy" | "Gone"

export class BodyFailure {
  readonly reason: BodyFailureReason
  constructor(reason: BodyFailureReason) {
    this.reason = reason
  }
}

const MALFORMED = new BodyFailure("Malformed")
const TOO_LARGE = new BodyFailure("TooLarge")
const TIMEOUT = new BodyFailure("Timeout")
const BUSY = new BodyFailure("Busy")
const GONE = new BodyFailure("Gone")

/** Time between checks for late bodies: the precision of the deadline. */
const SWEEP_MS = 250

/** Bytes of bodies that may be arriving at the same time: a quarter million typical ones, or a few dozen of the largest batches. */
const MAX_BYTES_ARRIVING = 256 << 20

/** Bodies decompressed at the same time: each may take up its whole limit, however few bytes it arrived as. */
const MAX_INFLATING = 2

interface Waiting {
  readonly deadline: number
  readonly resume: (body: Exit.Exit<unknown, BodyFailure>) => void
}

const inflate = promisify(gunzip)

/**
 * Reads JSON bodies up to a size, before and after decompression, and within a deadline. One timer serves all requests, since a timer
 * for each costs more than parsing the body.
 */
export class BodyReader {
  readonly #timeoutMs: number
  readonly #waiting = new Set<Waiting>()
  readonly #timer: ReturnType<typeof setInterval>
  readonly #turns: Array<() => void> = []
  #inflating = 0
  #arriving = 0

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs
    this.#timer = setInterval(() => this.#sweep(), SWEEP_MS)
  }

  close(): void {
    clearInterval(this.#timer)
  }

  /** The parsed body, whatever its content type says, as in Umami 3.1. Direct (`lib/callbackEffect`). */
  read(request: Request, limit: number): Effect.Effect<unknown, BodyFailure> {
    const length = request.headers.get("content-length")
    const size = length === null ? 0 : Number(length)
    if (size > limit) return Exit.fail(TOO_LARGE)
    if (this.#arriving + size > MAX_BYTES_ARRIVING) return Exit.fail(BUSY)
    return callbackEffect((resume) => {
      this.#arriving += size
      const waiting: Waiting = { deadline: performance.now() + this.#timeoutMs, resume }
      this.#waiting.add(waiting)
      const end = (body: Exit.Exit<unknown, BodyFailure>): void => {
        this.#arriving -= size
        // A late body has been answered already.
        if (this.#waiting.delete(waiting)) resume(body)
      }
      this.#parsed(request, length, limit).then(
        (body) => end(Exit.succeed(body)),
        (error: unknown) => end(Exit.fail(failureOf(error)))
      )
    })
  }

  #parsed(request: Request, length: string | null, limit: number): Promise<unknown> {
    const encoding = request.headers.get("content-encoding")
    if (encoding !== null && GZIP.test(encoding)) return this.#readGzip(request, limit)
    return length === null ? this.#readStream(request, limit, parse) : request.json()
  }

  /** A body of unknown length, counted while it arrives and until `use` has ended. */
  async #readStream<A>(request: Request, limit: number, use: (bytes: Uint8Array) => A | Promise<A>): Promise<A> {
    if (request.body === null) throw MALFORMED
    const counted = request.headers.get("content-length") === null
    const chunks: Array<Uint8Array> = []
    let size = 0
    let held = 0
    try {
      for await (const chunk of request.body) {
        size += chunk.byteLength
        if (size > limit) throw TOO_LARGE
        if (counted) {
          if (this.#arriving + chunk.byteLength > MAX_BYTES_ARRIVING) throw BUSY
          this.#arriving += chunk.byteLength
          held += chunk.byteLength
        }
        chunks.push(chunk)
      }
      return await use(Buffer.concat(chunks))
    } finally {
      this.#arriving -= held
    }
  }

  /** Decompressed off the event loop, and never beyond the limit, however well it was compressed. */
  #readGzip(request: Request, limit: number): Promise<unknown> {
    return this.#readStream(request, limit, async (compressed) => {
      await this.#takeTurn()
      try {
        return parse(await inflate(compressed, { maxOutputLength: limit }))
      } catch (error) {
        throw error instanceof RangeError && "code" in error && error.code === "ERR_BUFFER_TOO_LARGE"
          ? TOO_LARGE
          : MALFORMED
      } finally {
        this.#endTurn()
      }
    })
  }

  /** A body that waits for its turn past the deadline is answered by the sweep. */
  async #takeTurn(): Promise<void> {
    if (this.#inflating >= MAX_INFLATING) await new Promise<void>((resolve) => this.#turns.push(resolve))
    else this.#inflating++
  }

  #endTurn(): void {
    const next = this.#turns.shift()
    if (next === undefined) this.#inflating--
    else next()
  }

  #sweep(): void {
    const now = performance.now()
    // Insertion order is deadline order.
    for (const waiting of this.#waiting) {
      if (waiting.deadline > now) return
      this.#waiting.delete(waiting)
      waiting.resume(Exit.fail(TIMEOUT))
    }
  }
}

const GZIP = /^\s*(?:x-)?gzip\s*$/i

const failureOf = (error: unknown): BodyFailure => {
  if (error instanceof BodyFailure) return error
  if (error instanceof Error && error.name === "AbortError") return GONE
  return MALFORMED
}

const parse = (bytes: Uint8Array): unknown => JSON.parse(new TextDecoder().decode(bytes))
