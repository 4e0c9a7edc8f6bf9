import { Engine } from "./Engine.ts"
import type { OpenOptions, RunRequest } from "./protocol.ts"
import { serveQueries } from "./serveQueries.ts"

/** Runs queries of the lake for the process that started this one (`makeDuckDbChild`), and ends with it. */
export const serveDuckDb = (): void => serveQueries<OpenOptions, RunRequest>(Engine.open)
