import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net"

/**
 * What happens to a request:
 * - `loseAnswer`: the server does it and answers, and the connection ends before the answer arrives.
 * - `cut`: the connection ends, the server hears nothing.
 * - `hang`: nobody hears anything any more.
 * - a status: the server hears nothing, this is the answer; `after`: instead of the answer to what the server did.
 */
export type Fault =
  | "loseAnswer"
  | "cut"
  | "hang"
  | { readonly status: number; readonly body?: string; readonly after?: boolean }

const answerOf = (status: number, body: string): string =>
  `HTTP/1.1 ${status} Fault\r\ncontent-type: application/xml\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`

/** Stands before a server of this machine, forwards bytes, and does harm where it is told to. */
export class FaultProxy implements Disposable {
  /** Asked of every piece of data that a client sends, as text; an HTTP request begins with its method. */
  decide: (piece: string) => Fault | undefined = () => undefined
  /** Whether connections end as soon as they are made, and those there are end now. */
  #down = false
  readonly #server: Server
  readonly #open = new Set<Socket>()

  private constructor(to: number) {
    this.#server = createServer((client) => {
      if (this.#down) return void client.destroy()
      let fault: Fault | undefined
      const upstream = connect({ host: "127.0.0.1", port: to })
      const end = (): void => {
        client.destroy()
        upstream.destroy()
        this.#open.delete(client)
      }
      this.#open.add(client)
      for (const socket of [client, upstream]) socket.on("error", end).on("close", end).setNoDelay(true)
      client.on("data", (bytes) => {
        if (fault === "hang") return
        const decided = this.decide(bytes.toString("latin1"))
        fault = decided ?? fault
        if (fault === "cut") return end()
        if (fault === "hang") return
        if (typeof decided === "object" && decided.after !== true) {
          return void client.end(answerOf(decided.status, decided.body ?? ""))
        }
        if (typeof fault !== "object" || fault.after === true) upstream.write(bytes)
      })
      upstream.on("data", (bytes) => {
        if (fault === undefined) client.write(bytes)
        else if (fault === "loseAnswer") end()
        else if (typeof fault === "object") client.end(answerOf(fault.status, fault.body ?? ""))
      })
    })
  }

  /** Before a port of this machine. */
  static async before(to: number): Promise<FaultProxy> {
    const proxy = new FaultProxy(to)
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

  /** The server is gone for everybody, or back. */
  setDown(down: boolean): void {
    this.#down = down
    if (down) for (const client of [...this.#open]) client.destroy()
  }

  /** The fault for the first requests that match, then none. */
  first(matches: RegExp, fault: Fault, count = 1): void {
    let left = count
    this.decide = (piece) => (left > 0 && matches.test(piece) && left-- > 0 ? fault : undefined)
  }

  [Symbol.dispose](): void {
    this.setDown(true)
    this.#server.close()
  }
}
