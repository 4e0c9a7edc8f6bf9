/** A complete response: its status, and its text (latin1), which is decoded on demand, with the start of the body. */
export interface Answer {
  readonly status: number
  readonly text: () => string
  readonly bodyAt: number
}

/** Positions of the parts of a response. A server's responses are all alike, so the next one is checked only there. */
interface Layout {
  readonly size: number
  readonly headEnd: number
  readonly lengthAt: number
  /** `Content-Length`'s digits and what follows them. */
  readonly length: string
}

let layout: Layout = { size: -1, headEnd: 0, lengthAt: 0, length: "" }

const CR = 13
const LF = 10
const ZERO = 48

const isLaidOut = (bytes: Buffer, { headEnd, length, lengthAt, size }: Layout): boolean => {
  if (bytes.length !== size) return false
  if (bytes[headEnd] !== CR || bytes[headEnd + 1] !== LF || bytes[headEnd + 2] !== CR || bytes[headEnd + 3] !== LF) {
    return false
  }
  for (let index = 0; index < length.length; index++) {
    if (bytes[lengthAt + index] !== length.charCodeAt(index)) return false
  }
  return true
}

export interface ConnectionEvents {
  /** The request in flight was answered. */
  readonly answered: (connection: Connection, answer: Answer) => void
  /** The server closed the connection or never accepted it; `inFlight` if a request was left without a response. */
  readonly closed: (connection: Connection, inFlight: boolean) => void
}

/**
 * A keep-alive HTTP/1.1 connection with one request in flight, on a raw socket. It understands what the servers under test send: a status
 * line, `Content-Length` and a body of that length. Anything else counts as closed.
 */
export class Connection {
  /** When the request in flight should have been sent, in ms. */
  intendedAt = 0
  #socket: Bun.Socket | null = null
  #inFlight = false
  #received = ""
  #unsent: Uint8Array | null = null
  readonly #events: ConnectionEvents

  constructor(events: ConnectionEvents) {
    this.#events = events
  }

  async open(hostname: string, port: number): Promise<void> {
    this.#received = ""
    this.#unsent = null
    this.#socket = await Bun.connect({
      hostname,
      port,
      socket: {
        data: (_socket, bytes) => this.#receive(bytes),
        drain: () => this.#flush(),
        close: () => this.#lose(),
        error: () => {}
      }
    })
  }

  /** `request` may be reused once this returns, unless it is larger than the socket accepts immediately. */
  send(request: Uint8Array, length: number, intendedAt: number): void {
    this.intendedAt = intendedAt
    this.#inFlight = true
    const sent = this.#socket?.write(request, 0, length) ?? 0
    if (sent >= 0 && sent < length) this.#unsent = request.subarray(sent, length)
  }

  close(): void {
    const socket = this.#socket
    this.#socket = null
    socket?.end()
  }

  #flush(): void {
    if (this.#unsent === null) return
    const sent = this.#socket?.write(this.#unsent) ?? 0
    this.#unsent = sent >= 0 && sent < this.#unsent.length ? this.#unsent.subarray(sent) : null
  }

  #receive(bytes: Buffer): void {
    if (this.#received === "" && isLaidOut(bytes, layout)) {
      const bodyAt = layout.headEnd + 4
      const status = (bytes[9]! - ZERO) * 100 + (bytes[10]! - ZERO) * 10 + (bytes[11]! - ZERO)
      this.#inFlight = false
      this.#events.answered(this, { status, text: () => bytes.toString("latin1"), bodyAt })
      return
    }
    const text = this.#received === "" ? bytes.toString("latin1") : this.#received + bytes.toString("latin1")
    const headEnd = text.indexOf("\r\n\r\n")
    if (headEnd === -1) {
      this.#received = text
      return
    }
    const bodyAt = headEnd + 4
    const lengthAt = contentLengthAt(text, headEnd)
    const length = lengthAt === null ? null : Number.parseInt(text.slice(lengthAt, lengthAt + 10), 10)
    if (length !== null && text.length < bodyAt + length) {
      this.#received = text
      return
    }
    if (lengthAt === null || length === null || text.length > bodyAt + length) {
      this.#lose()
      return
    }
    layout = { size: text.length, headEnd, lengthAt, length: `${length}\r\n` }
    this.#received = ""
    this.#inFlight = false
    this.#events.answered(this, { status: Number(text.slice(9, 12)), text: () => text, bodyAt })
  }

  #lose(): void {
    const socket = this.#socket
    if (socket === null) return
    this.#socket = null
    const inFlight = this.#inFlight
    this.#inFlight = false
    socket.end()
    this.#events.closed(this, inFlight)
  }
}

/** Position of the digits of `Content-Length`. */
const contentLengthAt = (text: string, headEnd: number): number | null => {
  let at = text.indexOf("ontent-Length: ")
  if (at === -1) at = text.indexOf("ontent-length: ")
  return at === -1 || at > headEnd ? null : at + 15
}
