import { isIP } from "node:net"
import { errorCode } from "./errorCode.ts"

/** Why a server cannot listen, and what to change. */
export const listenProblem = (error: unknown, host: string, port: number): string => {
  const code = errorCode(error)
  if (code === "EADDRINUSE") {
    return `Port ${port} is in use. Stop the process that listens there, or set PORT to another port (0 picks a free one).`
  }
  if (code === "EACCES") return `This user may not listen on port ${port}. Set PORT to 1024 or above.`
  // For a name that does not resolve, Bun's error has the code of some earlier call.
  if (code === "EADDRNOTAVAIL" || isIP(host) === 0) {
    return `HOST is ${JSON.stringify(host)}, which is not an address of this machine. Set it to 0.0.0.0 for all addresses, to 127.0.0.1 for programs on this machine, or to one of its addresses.`
  }
  return `Cannot listen on ${host}:${port}: ${error instanceof Error ? error.message : String(error)}. Check HOST and PORT.`
}
