import { Effect, Scope } from "effect"
import { makeDuckDbChild } from "../../../layers/duckdb/child/DuckDbChild.ts"

/** A process that runs the statement in `STATEMENT` with the extensions in `EXTENSIONS`, prints `ready` once it has started, and waits. */
const query = { sql: process.env["STATEMENT"]!, parameters: [], tables: [] }
const entry = new URL("../../../src/duckDbChild.ts", import.meta.url)
const options = { extensionFolder: process.env["EXTENSIONS"]!, memoryLimit: "512MB" }
const child = await Effect.runPromise(Scope.provide(makeDuckDbChild(entry, options), Scope.makeUnsafe()))
await Effect.runPromise(child.ensureOpened)
Effect.runFork(child.run({ query, locations: [], s3: null, maxRows: 10 }))
console.log("ready")
