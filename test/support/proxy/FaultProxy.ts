import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net"

/**
 * What happens to a request:
 * - `loseAnswer`: the server processes it, and the connection ends before the response arrives.
 * - `cut`: the connection ends before the server receives anything.
 * - `hang`: nothing is forwarded any longer.
 * - a status: the proxy sends this response itself; with `after`, in place of the server's response.
 */
export type Fault =
  | "loseAnswer"
  | "cut"
  | "hang"
  | { readonly status: number; readonly body?: string; readonly after?: boolean }

const answerOf = (status: number, body: string): string =>
  `HTTP/1.1 ${status} Fault\r\ncontent-type: application/xml\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`

/** Forwards bytes to a local server and injects faults. */
export class FaultProxy implements Disposable {
  /** The fault for a piece of data from a client, as a string; an HTTP request begins with its method. */
  decide: (piece: string) => Fault | undefined = () => undefined
  /** Whether new connections are closed at once. */
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

  /** Starts a proxy for a local port. */
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

  /** Makes the server unreachable, closing all connections, or reachable again. */
  setDown(down: boolean): void {
    this.#down = down
    if (down) for (const client of [...this.#open]) client.destroy()
  }

  /** Injects the fault into the first `count` requests that match. */
  first(matches: RegExp, fault: Fault, count = 1): void {
    let left = count
    this.decide = (piece) => (left > 0 && matches.test(piece) && left-- > 0 ? fault : undefined)
  }

  [Symbol.dispose](): void {
    this.setDown(true)
    this.#server.close()
  }
}
