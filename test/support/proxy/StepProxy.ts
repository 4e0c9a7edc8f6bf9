import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net"

/**
 * What becomes of a request:
 * - `cut`: the connection ends, the server hears nothing.
 * - `hang`: nobody hears anything any more.
 * - `status`: the server hears nothing, this is the answer.
 * - `answered`: the server does it; when its answer comes this is called, then the connection ends without it (`lose`) or the
 *   client gets it first.
 */
export type StepFault =
  | "cut"
  | "hang"
  | { readonly status: number; readonly body: string }
  | { readonly lose: boolean; readonly answered: () => void }

export const LOST: StepFault = { lose: true, answered: () => {} }
/** S3 asks for a slower pace. */
export const SLOW_DOWN: StepFault = { status: 503, body: "<Error><Code>SlowDown</Code></Error>" }

/** Says that a server goes on to read a request, which is no answer yet. */
const CONTINUE = "HTTP/1.1 100 "

/**
 * Stands before a server of this machine, sees every step that a client takes, and does harm at the one that it is told to: to
 * the request, or to whoever sent it. A step may be held up meanwhile.
 */
export class StepProxy implements Disposable {
  /** Asked of every piece that a client sends, as text; what matches none goes through. */
  decide: (piece: string) => StepFault | undefined | Promise<StepFault | undefined> = () => undefined
  #down = false
  readonly #server: Server
  readonly #open = new Set<Socket>()

  private constructor(to: number) {
    this.#server = createServer((client) => this.#forward(client, to))
  }

  /** Before a port of this machine. */
  static async before(to: number): Promise<StepProxy> {
    const proxy = new StepProxy(to)
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

  /** The fault for the first requests that match; resolves when it was done for the last time. */
  first(
    matches: RegExp,
    fault: StepFault | (() => StepFault | Promise<StepFault | undefined>),
    count = 1
  ): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    let left = count
    this.decide = async (piece) => {
      if (left === 0 || !matches.test(piece)) return undefined
      left--
      const decided = typeof fault === "function" ? await fault() : fault
      if (left === 0) resolve()
      return decided
    }
    return promise
  }

  /** The fault for every request that matches, until told otherwise. */
  always(matches: RegExp, fault: StepFault): void {
    this.decide = (piece) => (matches.test(piece) ? fault : undefined)
  }

  well(): void {
    this.decide = () => undefined
  }

  /** The server is gone for everybody: connections there are end, and new ones as soon as they are made. Or it is back. */
  setDown(down: boolean): void {
    this.#down = down
    if (down) for (const client of [...this.#open]) client.destroy()
  }

  [Symbol.dispose](): void {
    this.setDown(true)
    this.#server.close()
  }

  #forward(client: Socket, to: number): void {
    if (this.#down) return void client.destroy()
    let fault: StepFault | undefined
    let sent = Promise.resolve()
    const upstream = connect({ host: "127.0.0.1", port: to })
    const end = (): void => {
      client.destroy()
      upstream.destroy()
      this.#open.delete(client)
    }
    this.#open.add(client)
    for (const socket of [client, upstream]) socket.on("error", end).on("close", end).setNoDelay(true)
    client.on("data", (bytes) => {
      sent = sent.then(async () => {
        if (fault === "hang") return
        fault = (await this.decide(bytes.toString("latin1"))) ?? fault
        if (fault === "cut") end()
        else if (fault === "hang") return
        else if (fault !== undefined && "status" in fault) client.end(answerOf(fault.status, fault.body))
        else upstream.write(bytes)
      })
    })
    upstream.on("data", (bytes) => {
      if (fault === undefined || typeof fault === "string" || "status" in fault) return void client.write(bytes)
      if (bytes.toString("latin1", 0, CONTINUE.length) === CONTINUE) return void client.write(bytes)
      const { answered, lose } = fault
      fault = undefined
      if (!lose) return void client.write(bytes, answered)
      answered()
      end()
    })
  }
}

const answerOf = (status: number, body: string): string =>
  `HTTP/1.1 ${status} Fault\r\ncontent-type: application/xml\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`
