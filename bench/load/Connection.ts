/** A complete answer: its status, and the text that it came as (latin1), with where the body begins. */
export interface Answer {
  readonly status: number
  readonly text: string
  readonly bodyAt: number
}

export interface ConnectionEvents {
  /** The one request in flight was answered. */
  readonly answered: (connection: Connection, answer: Answer) => void
  /** The server closed or never accepted; `inFlight` when a request was left without an answer. */
  readonly closed: (connection: Connection, inFlight: boolean) => void
}

/**
 * A keep-alive HTTP/1.1 connection with one request in flight, on a raw socket. It reads what servers under test send: a status
 * line, `Content-Length` and a body of that length; anything else counts as closed.
 */
export class Connection {
  /** For the request in flight: when it was meant to be sent, in ms. */
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

  /** `request` may be changed again when this returns, unless it is larger than the socket takes at once. */
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
    const text = this.#received === "" ? bytes.toString("latin1") : this.#received + bytes.toString("latin1")
    const headEnd = text.indexOf("\r\n\r\n")
    if (headEnd === -1) {
      this.#received = text
      return
    }
    const bodyAt = headEnd + 4
    const length = contentLength(text, headEnd)
    if (length !== null && text.length < bodyAt + length) {
      this.#received = text
      return
    }
    if (length === null || text.length > bodyAt + length) {
      this.#lose()
      return
    }
    this.#received = ""
    this.#inFlight = false
    this.#events.answered(this, { status: Number(text.slice(9, 12)), text, bodyAt })
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

const contentLength = (text: string, headEnd: number): number | null => {
  let at = text.indexOf("ontent-Length: ")
  if (at === -1) at = text.indexOf("ontent-length: ")
  return at === -1 || at > headEnd ? null : Number.parseInt(text.slice(at + 15, at + 25), 10)
}
