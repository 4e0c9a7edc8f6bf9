import { promisify } from "node:util"
import { gunzip } from "node:zlib"

/** Why there is no JSON value: not JSON, over the limit, not here in time, or the client left. */
export type BodyFailureReason = "Malformed" | "TooLarge" | "Timeout" | "Gone"

export class BodyFailure {
  readonly reason: BodyFailureReason
  constructor(reason: BodyFailureReason) {
    this.reason = reason
  }
}

const MALFORMED = new BodyFailure("Malformed")
const TOO_LARGE = new BodyFailure("TooLarge")
const TIMEOUT = new BodyFailure("Timeout")
const GONE = new BodyFailure("Gone")

/** How often late bodies are looked for: the precision of the deadline. */
const SWEEP_MS = 250

interface Waiting {
  readonly deadline: number
  readonly resolve: (failure: BodyFailure) => void
}

const inflate = promisify(gunzip)

/**
 * Reads JSON bodies within a size, compressed and not, and a time. One timer serves all requests, since a timer for each
 * costs more than parsing the body.
 */
export class BodyReader {
  readonly #timeoutMs: number
  readonly #waiting = new Set<Waiting>()
  readonly #timer: ReturnType<typeof setInterval>

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs
    this.#timer = setInterval(() => this.#sweep(), SWEEP_MS)
  }

  close(): void {
    clearInterval(this.#timer)
  }

  /** The parsed body, or why there is none. Whatever its content type says, it is read as JSON (wire contract 1.1). */
  read(request: Request, limit: number): Promise<unknown> {
    const length = request.headers.get("content-length")
    if (length !== null && Number(length) > limit) return Promise.resolve(TOO_LARGE)
    return new Promise((resolve) => {
      const waiting: Waiting = { deadline: performance.now() + this.#timeoutMs, resolve }
      this.#waiting.add(waiting)
      const encoding = request.headers.get("content-encoding")
      const parsed =
        encoding !== null && GZIP.test(encoding)
          ? readGzip(request, limit)
          : length === null
            ? readStream(request, limit).then(parse)
            : request.json()
      parsed.then(
        (value) => {
          this.#waiting.delete(waiting)
          resolve(value)
        },
        (error: unknown) => {
          this.#waiting.delete(waiting)
          resolve(failureOf(error))
        }
      )
    })
  }

  #sweep(): void {
    const now = performance.now()
    // Insertion order is deadline order.
    for (const waiting of this.#waiting) {
      if (waiting.deadline > now) return
      this.#waiting.delete(waiting)
      waiting.resolve(TIMEOUT)
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

/** A body of unknown length, counted while it arrives. */
const readStream = async (request: Request, limit: number): Promise<Uint8Array> => {
  if (request.body === null) throw MALFORMED
  const chunks: Array<Uint8Array> = []
  let size = 0
  for await (const chunk of request.body) {
    size += chunk.byteLength
    if (size > limit) throw TOO_LARGE
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** Inflated off the event loop, and never past the limit, however well it was compressed. */
const readGzip = async (request: Request, limit: number): Promise<unknown> => {
  const compressed = await readStream(request, limit)
  try {
    return parse(await inflate(compressed, { maxOutputLength: limit }))
  } catch (error) {
    throw error instanceof RangeError && "code" in error && error.code === "ERR_BUFFER_TOO_LARGE"
      ? TOO_LARGE
      : MALFORMED
  }
}
