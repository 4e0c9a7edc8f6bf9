import { errorCode } from "./errorCode.ts"

/** Why a server cannot listen, and what to change. */
export const listenProblem = (error: unknown, host: string, port: number): string => {
  switch (errorCode(error)) {
    case "EADDRINUSE":
      return `Port ${port} is in use. Stop the process that listens there, or set PORT to another port (0 picks a free one).`
    case "EACCES":
      return `This user may not listen on port ${port}. Set PORT to 1024 or above.`
    default:
      return `Cannot listen on ${host}:${port}: ${error instanceof Error ? error.message : String(error)}. Check HOST and PORT.`
  }
}
