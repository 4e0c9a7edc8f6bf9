import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net"

/**
 * What happens to a request:
 * - `cut`: the connection ends; the server receives nothing.
 * - `hang`: neither side receives anything any more.
 * - `loseAnswer`: the server handles the request, and the connection ends before the answer arrives.
 * - a status: the client gets this answer. The server receives nothing, unless `after`: then it handles the request first.
 * - `onAnswer`: the server handles the request. `onAnswer` is called when the answer arrives, before it is lost (`isLost`) or after the
 *   client got it.
 */
export type Fault =
  | "cut"
  | "hang"
  | "loseAnswer"
  | { readonly status: number; readonly body?: string; readonly after?: boolean }
  | { readonly isLost: boolean; readonly onAnswer: () => void }

/** S3 asks the client to slow down. */
export const SLOW_DOWN: Fault = { status: 503, body: "<Error><Code>SlowDown</Code></Error>" }

/** An interim answer: the server is ready for the request's body. */
const CONTINUE = "HTTP/1.1 100 "

const answerOf = (status: number, body: string): string =>
  `HTTP/1.1 ${status} Fault\r\ncontent-type: application/xml\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`

/** Forwards bytes to a server of this machine and injects faults at chosen requests. */
export class FaultProxy implements Disposable {
  /** Called with every chunk that a client sends, as a Latin-1 string; an HTTP request begins with its method. */
  decide: (chunk: string) => Fault | undefined | Promise<Fault | undefined> = () => undefined
  #isDown = false
  readonly #server: Server
  readonly #clients = new Set<Socket>()

  private constructor(port: number) {
    this.#server = createServer((client) => this.#forward(client, port))
  }

  /** A proxy in front of a port of this machine. */
  static async before(port: number): Promise<FaultProxy> {
    const proxy = new FaultProxy(port)
    const { promise, resolve } = Promise.withResolvers<void>()
    proxy.#server.listen(0, "127.0.0.1", resolve)
    await promise
    return proxy
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** Injects the fault at the first `count` chunks that match. Resolves when the last one is decided. */
  first(matches: RegExp, fault: Fault | (() => Fault | Promise<Fault | undefined>), count = 1): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    let left = count
    this.decide = async (chunk) => {
      if (left === 0 || !matches.test(chunk)) return undefined
      left--
      const decided = typeof fault === "function" ? await fault() : fault
      if (left === 0) resolve()
      return decided
    }
    return promise
  }

  /** Injects the fault at every chunk that matches, until `reset`. */
  always(matches: RegExp, fault: Fault): void {
    this.decide = (chunk) => (matches.test(chunk) ? fault : undefined)
  }

  reset(): void {
    this.decide = () => undefined
  }

  /** While down, open connections are closed and new ones end at once. */
  setDown(isDown: boolean): void {
    this.#isDown = isDown
    if (isDown) for (const client of [...this.#clients]) client.destroy()
  }

  [Symbol.dispose](): void {
    this.setDown(true)
    this.#server.close()
  }

  #forward(client: Socket, port: number): void {
    if (this.#isDown) {
      client.destroy()
      return
    }
    let fault: Fault | undefined
    let decided = Promise.resolve()
    const upstream = connect({ host: "127.0.0.1", port })
    const end = (): void => {
      client.destroy()
      upstream.destroy()
      this.#clients.delete(client)
    }
    this.#clients.add(client)
    for (const socket of [client, upstream]) socket.on("error", end).on("close", end).setNoDelay(true)
    client.on("data", (bytes) => {
      // One chunk after the other, however long the decision takes.
      decided = decided.then(async () => {
        if (fault === "hang") return
        fault = (await this.decide(bytes.toString("latin1"))) ?? fault
        if (fault === "cut") end()
        else if (fault === "hang") return
        else if (typeof fault === "object" && "status" in fault && fault.after !== true) {
          client.end(answerOf(fault.status, fault.body ?? ""))
        } else upstream.write(bytes)
      })
    })
    upstream.on("data", (bytes) => {
      if (fault === undefined || fault === "cut" || fault === "hang") {
        if (fault !== "hang") client.write(bytes)
        return
      }
      if (bytes.toString("latin1", 0, CONTINUE.length) === CONTINUE) {
        client.write(bytes)
        return
      }
      if (typeof fault === "object" && "status" in fault) {
        client.end(answerOf(fault.status, fault.body ?? ""))
        return
      }
      const { isLost, onAnswer } = fault === "loseAnswer" ? { isLost: true, onAnswer: () => {} } : fault
      fault = undefined
      if (isLost) {
        onAnswer()
        end()
      } else client.write(bytes, onAnswer)
    })
  }
}
