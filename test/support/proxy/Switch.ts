import { connect, createServer, type Server, type Socket } from "node:net"

/** A TCP address that leads to one server or another, as a DNS name or a load balancer does. Open connections keep their server. */
export class Switch implements AsyncDisposable {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #to: number

  private constructor(server: Server, to: number) {
    this.#server = server
    this.#to = to
  }

  static async start(to: number): Promise<Switch> {
    const server = createServer()
    const self = new Switch(server, to)
    server.on("connection", (client) => self.#forward(client))
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    return self
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port
  }

  /** From now on, new connections lead to this port. */
  leadTo(port: number): void {
    this.#to = port
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #forward(client: Socket): void {
    const server = connect(this.#to, "127.0.0.1")
    for (const [from, to] of [
      [client, server],
      [server, client]
    ] as const) {
      this.#sockets.add(from)
      from.on("error", () => to.destroy())
      from.on("close", () => {
        this.#sockets.delete(from)
        to.destroy()
      })
      from.pipe(to)
    }
  }
}
