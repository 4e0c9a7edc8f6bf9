import { SQL } from "bun"
import { Effect, Redacted, Result } from "effect"
import { type DatabaseTarget, parseDatabaseUrl, type Server } from "../../postgres/client/url/DatabaseTarget.ts"
import { type Attempt, tlsAttempts } from "../../postgres/client/url/tls.ts"
import { SegmentFile } from "./SegmentFile.ts"
import type { StagedColumn } from "./schema.ts"

/** How long it may take to connect. */
const CONNECT_SECONDS = 5
/** How long beginning a transaction may take. A server that takes longer is gone, and the replica answers from what it has. */
const BEGIN_MS = 10_000
/** Size of a file of rows: loading it takes about a second, and the memory for it is bounded. */
export const SEGMENT_BYTES = 100 << 20
/** How much longer than the server we wait for a statement's end, before the connection counts as lost. */
const MARGIN_MS = 5_000

/** A connection that answers, in a read-only transaction of one snapshot. */
export interface Reader {
  readonly query: <Row>(statement: string) => Promise<ReadonlyArray<Row>>
  /** Writes a query's rows to a file as CSV, without a header. Returns the bytes; 0 if there are no rows. */
  readonly copy: (select: string, path: string) => Promise<number>
  /** The same in files of about `SEGMENT_BYTES`, each passed to `onSegment` before the next is written. */
  readonly copySegments: (select: string, path: string, onSegment: () => Promise<void>) => Promise<void>
}

/** The SELECT list of staged columns. */
export const exportedColumns = (columns: ReadonlyArray<StagedColumn>): string =>
  columns.map(({ source }) => source).join(", ")

const optionsOf = (target: DatabaseTarget, { host, port }: Server, attempt: Attempt) => ({
  adapter: "postgres" as const,
  ...(host.startsWith("/") ? { path: `${host}/.s.PGSQL.${port}`, hostname: "localhost" } : { hostname: host }),
  port,
  username: target.username,
  password: target.password === undefined ? "" : Redacted.value(target.password as Redacted.Redacted<string>),
  database: target.database,
  tls: attempt === false ? false : attempt,
  max: 1,
  prepare: false,
  bigint: true,
  connectionTimeout: target.connectTimeoutSeconds ?? CONNECT_SECONDS,
  connection: {
    application_name: target.applicationName ?? "footfall-replica",
    ...(target.options === undefined ? {} : { options: target.options })
  }
})

/** A failure that the file has nothing to do with. */
export class SourceError extends Error {}

/** Rejects after a time; `work` must be stopped by other means. */
const within = async <A>(milliseconds: number, what: string, work: Promise<A>): Promise<A> => {
  let timer: Timer | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new SourceError(`${what} within ${milliseconds / 1_000} s`)), milliseconds)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

/**
 * Reads the app database for the replica, on one connection that is opened when needed. With Bun's client, since `COPY` through it takes
 * a quarter of the CPU of rows that JavaScript sees.
 */
export class Source {
  readonly #target: DatabaseTarget
  readonly #attempts: (server: Server) => ReadonlyArray<Attempt>
  #sql: SQL | null = null

  private constructor(target: DatabaseTarget, attempts: (server: Server) => ReadonlyArray<Attempt>) {
    this.#target = target
    this.#attempts = attempts
  }

  static async open(url: string): Promise<Source> {
    const target = Result.getOrThrowWith(
      parseDatabaseUrl(url),
      (problem) => new SourceError(`DATABASE_URL: ${problem}`)
    )
    return new Source(target, await Effect.runPromise(tlsAttempts(target, "DATABASE_URL")))
  }

  /**
   * Runs `work` in a read-only transaction with one snapshot, in which no partition is attached or detached: otherwise the snapshot could
   * miss the moved rows or have them twice. Each statement takes at most `timeoutMs`.
   */
  async read<A>(timeoutMs: number, work: (reader: Reader) => Promise<A>): Promise<A> {
    return this.#use(timeoutMs, async (run) => {
      const begin = (statement: string) => this.#run(BEGIN_MS, statement)
      await begin("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
      await begin(
        `SELECT set_config('statement_timeout', '${timeoutMs}', true), set_config('lock_timeout', '${BEGIN_MS}', true),
          set_config('timezone', 'UTC', true), set_config('datestyle', 'ISO', true), set_config('jit', 'off', true),
          set_config('max_parallel_workers_per_gather', '0', true)`
      )
      await begin("LOCK TABLE product_analytics_event, product_analytics_event_data IN ACCESS SHARE MODE")
      const result = await work({
        query: async <Row>(statement: string) => [...((await run(statement)) as ReadonlyArray<Row>)],
        copy: (select, path) => this.#copy(timeoutMs, select, path, Number.POSITIVE_INFINITY, async () => {}),
        copySegments: async (select, path, onSegment) => {
          if ((await this.#copy(timeoutMs, select, path, SEGMENT_BYTES, onSegment)) > 0) await onSegment()
        }
      })
      await run("COMMIT")
      return result
    })
  }

  /** Runs one statement that writes. Values are bound. */
  async write<Row>(statement: string, values: ReadonlyArray<string | null>): Promise<ReadonlyArray<Row>> {
    const sql = await this.#connected()
    try {
      return [...(await within(MARGIN_MS, "Postgres did not answer", sql.unsafe(statement, [...values])))] as Row[]
    } catch (cause) {
      await this.close()
      throw cause
    }
  }

  async close(): Promise<void> {
    const sql = this.#sql
    this.#sql = null
    await sql?.close({ timeout: 0 }).catch(() => {})
  }

  /** A failure closes the connection: it may be in a transaction, or in the middle of a COPY. */
  async #use<A>(timeoutMs: number, work: (run: (statement: string) => Promise<unknown>) => Promise<A>): Promise<A> {
    await this.#connected()
    try {
      return await work((statement) => this.#run(timeoutMs, statement))
    } catch (cause) {
      await this.close()
      throw cause
    }
  }

  #run(timeoutMs: number, statement: string): Promise<unknown> {
    if (this.#sql === null) throw new SourceError("the connection to Postgres is closed")
    // The simple protocol, which every pooler passes on.
    return within(timeoutMs + MARGIN_MS, "Postgres did not answer", this.#sql.unsafe(statement).simple())
  }

  /** Writes rows to a file. When it has `limit` bytes, calls `onFull` and starts it again. Returns the size of the last one. */
  async #copy(
    timeoutMs: number,
    select: string,
    path: string,
    limit: number,
    onFull: () => Promise<void>
  ): Promise<number> {
    if (this.#sql === null) throw new SourceError("the connection to Postgres is closed")
    const rows = this.#sql.unsafe(`COPY (${select}) TO STDOUT (FORMAT csv)`) as unknown as {
      readonly readable: () => Promise<ReadableStream<Uint8Array>> | ReadableStream<Uint8Array>
    }
    const write = async () => {
      const file = await SegmentFile.open(path)
      try {
        for await (const chunk of await rows.readable()) {
          const end = limit === Number.POSITIVE_INFINITY ? -1 : file.endOfRow(chunk, limit)
          if (end === -1) {
            await file.add(chunk)
            continue
          }
          await file.add(chunk.subarray(0, end))
          await file.close()
          await onFull()
          await file.reopen()
          await file.add(chunk.subarray(end))
        }
      } finally {
        await file.close()
      }
      return file.bytes
    }
    return within(timeoutMs + MARGIN_MS, "Postgres did not send its rows", write())
  }

  async #connected(): Promise<SQL> {
    if (this.#sql !== null) return this.#sql
    let last: unknown = new SourceError("no server")
    for (const server of this.#target.servers) {
      for (const attempt of this.#attempts(server)) {
        const sql = new SQL(optionsOf(this.#target, server, attempt) as never)
        try {
          const [row] = await within(
            CONNECT_SECONDS * 2_000,
            "Postgres did not answer",
            sql.unsafe("SELECT pg_is_in_recovery() AS standby").simple()
          )
          if ((row as { standby: boolean }).standby) throw new SourceError("the server is a standby")
          this.#sql = sql
          return sql
        } catch (cause) {
          last = cause
          await sql.close({ timeout: 0 }).catch(() => {})
        }
      }
    }
    throw last
  }
}
