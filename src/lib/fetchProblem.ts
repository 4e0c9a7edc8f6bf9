import { errorCode } from "./errorCode.ts"

/** Why `fetch` got no response, as the end of a sentence. */
export const fetchProblem = (error: unknown): string => {
  switch (errorCode(error)) {
    case "ConnectionRefused":
    case "ECONNREFUSED":
      return "nothing listens there"
    case "FailedToOpenSocket":
    case "ENOTFOUND":
      return "the host can't be found or reached"
    default:
      return error instanceof Error && error.message !== ""
        ? error.message.replace(/\.?\s*$/, "")
        : "the connection failed"
  }
}
