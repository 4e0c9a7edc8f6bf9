import { randomUUID } from "node:crypto"
import { mkdir, rm, stat, statfs } from "node:fs/promises"
import { cpus } from "node:os"
import { join } from "node:path"
import type { DuckDBConnection } from "@duckdb/node-api"
import type { RebuildProgress } from "../../../src/domain/rebuildProgress.ts"
import {
  type Query,
  type QueryChunk,
  QueryError,
  type QueryParameter,
  type QueryResult
} from "../../../src/ports/QueryEngine.ts"
import type { ReplicaCheck, ReplicaPhase, ReplicaStatus } from "../../../src/ports/Replica.ts"
import { collect, execute, firstLineOf, onOwnConnection } from "../../duckdb/child/execute.ts"
import type { ServedEngine } from "../../duckdb/child/serveQueries.ts"
import { type FileLock, tryLock } from "../../inprocess/FileLock.ts"
import { CALLS, type ReplicaOptions, type ReplicaRequest } from "../protocol.ts"
import { type CheckUnit, checkUnits, runUnit } from "./check.ts"
import { Follower, Rebuild } from "./Follower.ts"
import type { Position } from "./position.ts"
import { beginRebuild, finishRebuild, type RebuildSources } from "./rebuild.ts"
import { type Reader, Source, SourceError } from "./Source.ts"
import { discard, FILE, SET_ASIDE, Store, setAside } from "./Store.ts"
import { parseSnapshot } from "./state.ts"

/** The pause between two polls: at least, at most (also while questions are asked), and relative to how long the last one took. */
const PAUSE_MS = { least: 1_000, most: 3_000 }
const PAUSE_FACTOR = 3
/** How often it is found out whether questions still run. */
const ANSWERING_MS = 50
/** The pause after a failure, each longer than the one before. */
const RETRY_MS = { first: 1_000, most: 30_000 }
/** How often the app database learns where this replica is. */
const REPORT_MS = 60_000
/** How long a token is in use: a backup that is older is recognized as another history. */
const TOKEN_MS = 600_000
/** How often commands see the status of a rebuild or a check. */
const STATUS_MS = 2_000
const DAY_MS = 86_400_000
/** What is checked after the start. */
const RECENT_DAYS = 3
const FIRST_CHECK_MS = 30_000
/** How long a check gives way to questions, unless it was asked for. After that, it would never end where someone always asks. */
const POSTPONED_MS = 600_000
/** How long a check takes part in a poll. */
const CHECK_MS = 300

interface Checking {
  readonly complete: boolean
  /** Until when it gives way to questions. */
  givesWayUntil: number
  units: Array<CheckUnit> | null
  /** Days of sites. */
  readonly differing: Set<string>
  readonly waiting: Array<(check: ReplicaCheck) => void>
}

/** Another process has the folder. */
class Locked extends Error {}

/** A number that no site has. */
const NO_SITE = -1

/** The query with the sites' numbers in this file. */
const withSiteNumbers = async (connection: DuckDBConnection, store: Store, query: Query): Promise<Query> => {
  const parameters: Array<QueryParameter> = []
  for (const parameter of query.parameters) {
    parameters.push(
      parameter.type === "site"
        ? { type: "integer", value: (await store.siteNumber(connection, parameter.value)) ?? NO_SITE }
        : parameter
    )
  }
  return { ...query, parameters }
}

/** Keeps the file up to date in the background, and answers queries while it is complete. */
export class ReplicaEngine implements ServedEngine<ReplicaRequest> {
  readonly #options: ReplicaOptions
  readonly #notify: (status: ReplicaStatus) => void
  #lock: FileLock | null = null
  #store: Store | null = null
  #follower: Follower | null = null
  /** Identifies the file, so that its versions are not mistaken for those of an older one. */
  #fileId = randomUUID()
  #phase: ReplicaPhase = "starting"
  #why: string | null = null
  #progress: ReplicaStatus["progress"] = null
  #bytes = 0
  #check: ReplicaCheck | null = null
  #checking: Checking | null = null
  #recentCheckAt = performance.now() + FIRST_CHECK_MS
  #completeCheckAt = Date.now() + nightDelay()
  #reportedAt = 0
  #publishedAt = 0
  #publishedPhase = ""
  /** A complete check has ended, and the app database does not know. */
  #isCheckUnreported = false
  #tokenAt = 0
  #stopping = false
  #rebuildRequested = false
  #wake: (() => void) | null = null
  /** It follows no more, while Postgres may be well. */
  #isOutOfSpace = false
  #queries = 0
  /** Queries since the last poll began. */
  #asked = 0
  /** A query failed in a way that a damaged file explains. */
  #suspect = false
  /** Those who wait for the end of a poll that has not begun yet. */
  #syncs: Array<{ readonly resolve: () => void; readonly reject: (error: QueryError) => void }> = []
  readonly #loop: Promise<void>

  constructor(options: ReplicaOptions, notify: (notice: unknown) => void) {
    this.#options = options
    this.#notify = notify
    this.#loop = this.#run()
  }

  run({ maxRows, query }: ReplicaRequest, signal: AbortSignal): Promise<QueryResult> {
    return this.#onOwnConnection(signal, async (connection, store) =>
      collect(connection, { query: await withSiteNumbers(connection, store, query), maxRows, signal })
    )
  }

  stream(
    { maxRows, query }: ReplicaRequest,
    signal: AbortSignal,
    onChunk: (chunk: QueryChunk) => Promise<void>
  ): Promise<void> {
    return this.#onOwnConnection(signal, async (connection, store) =>
      execute(connection, { query: await withSiteNumbers(connection, store, query), maxRows, signal, onChunk })
    )
  }

  async call(name: string): Promise<unknown> {
    switch (name) {
      case CALLS.sync:
        return this.#sync()
      case CALLS.check:
        return this.#startCheck(true)
      case CALLS.rebuild:
        this.#rebuildRequested = true
        this.#wake?.()
        return null
      case CALLS.stop:
        return this.close()
      default:
        throw new QueryError({ reason: "Invalid", message: `The replica has no call ${name}.` })
    }
  }

  /** Ends the loop after the current transaction, and writes the log into the file if there is time. */
  async close(): Promise<void> {
    this.#stopping = true
    this.#wake?.()
    await this.#loop
  }

  async #onOwnConnection<A>(
    signal: AbortSignal,
    work: (connection: DuckDBConnection, store: Store) => Promise<A>
  ): Promise<A> {
    const store = this.#store
    if (store === null || !this.#isUsable) {
      throw new QueryError({ reason: "Unavailable", message: `The replica can't answer: ${this.#why ?? this.#phase}.` })
    }
    this.#queries++
    this.#asked++
    try {
      return await onOwnConnection(
        () => store.connect(),
        signal,
        async (connection) => {
          signal.throwIfAborted()
          await connection.run("BEGIN TRANSACTION READ ONLY")
          return await work(connection, store)
        }
      )
    } catch (error) {
      // A damaged block is only noticed by reading it.
      if (error instanceof QueryError && error.reason === "Unavailable") this.#suspect = true
      throw error
    } finally {
      this.#queries--
    }
  }

  get #isUsable(): boolean {
    return this.#follower !== null && this.#follower.state.linkedTo === null
  }

  #report(): void {
    this.#notify(this.#status())
  }

  #status(): ReplicaStatus {
    const state = this.#follower?.state
    return {
      phase: this.#phase,
      why: this.#why,
      isUsable: this.#isUsable && !this.#isOutOfSpace,
      progress: this.#progress,
      asOf: state === undefined || state.linkedTo !== null ? null : state.asOf,
      version: `${this.#fileId} ${state?.version ?? 0}`,
      bytes: this.#bytes,
      check: this.#check
    }
  }

  #enter(phase: ReplicaPhase, why: string | null = null): void {
    this.#phase = phase
    this.#why = why
    this.#report()
  }

  /** Opens, rebuilds and follows, until the process is stopped. */
  async #run(): Promise<void> {
    let retryMs: number = RETRY_MS.first
    while (!this.#stopping) {
      try {
        await this.#session(() => {
          retryMs = RETRY_MS.first
        })
      } catch (cause) {
        await this.#recover(cause)
        this.#failSyncs(firstLineOf(cause))
        if (this.#stopping) break
        await this.#pause(retryMs)
        // The process before this one may take a moment to end.
        if (!(cause instanceof Locked)) retryMs = Math.min(retryMs * 2, RETRY_MS.most)
      }
    }
    this.#failSyncs("it is stopping")
    await this.#closeStore(true)
    this.#lock?.release()
    this.#lock = null
  }

  /** Decides what to do about a failure: wait, open the file again, or give it up. */
  async #recover(cause: unknown): Promise<void> {
    if (this.#stopping) return
    if (cause instanceof Locked) return this.#enter("waiting", cause.message)
    if (cause instanceof Rebuild) {
      await this.#closeStore(false)
      await discard(this.#options.folder)
      return this.#enter("rebuilding", cause.message)
    }
    const why = firstLineOf(cause)
    if (isPostgresFailure(cause) || this.#store === null) return this.#enter("waiting", why)
    // DuckDB refuses everything after some failures, such as a full disk. What it acknowledged is in the file.
    await this.#closeStore(false)
    this.#suspect = true
    this.#enter("waiting", why)
  }

  /** Opens what is not open, and follows until something fails. */
  async #session(onSuccess: () => void): Promise<void> {
    const { folder } = this.#options
    await mkdir(folder, { recursive: true, mode: 0o700 })
    this.#lock ??= lockFolder(folder)
    await this.#requireSpace()
    const sources = {
      events: await Source.open(this.#options.databaseUrl),
      sessions: await Source.open(this.#options.databaseUrl)
    }
    try {
      if (this.#store === null) await this.#openStore()
      if (this.#follower === null || this.#follower.state.linkedTo !== null) await this.#rebuild(sources)
      await this.#follow(sources.sessions, onSuccess)
    } finally {
      for (const source of Object.values(sources)) await source.close()
    }
  }

  /** Never fills the disk that Postgres may need, too. */
  async #requireSpace(): Promise<void> {
    const { bavail, bsize } = await statfs(this.#options.folder)
    this.#isOutOfSpace = bavail * bsize < this.#options.minFreeBytes
    if (this.#isOutOfSpace) {
      throw new SourceError(
        `the disk of ${this.#options.folder} has only ${Math.floor((bavail * bsize) / 2 ** 20)} MB free, and ${Math.ceil(this.#options.minFreeBytes / 2 ** 20)} MB must stay free`
      )
    }
  }

  async #openStore(): Promise<void> {
    const { configuration, folder, memoryLimit, tempLimit, threads } = this.#options
    const open = () => Store.open({ configuration, folder, memoryLimit, tempLimit, threads: threads ?? cpus().length })
    try {
      this.#store = await open()
      if (this.#suspect) await this.#store.verify()
      this.#suspect = false
    } catch (cause) {
      this.#store?.close()
      this.#store = null
      await this.#requireSpace()
      await setAside(folder)
      this.#suspect = false
      this.#enter("rebuilding", `its file could not be read and was set aside as ${SET_ASIDE}: ${firstLineOf(cause)}`)
      this.#store = await open()
    }
    const state = await this.#store.readState()
    const isEmpty = (await this.#store.number("SELECT count(*) FROM replica_state")) === 0
    if (state === null && !isEmpty) throw new Rebuild("its file is from another version")
    this.#fileId = randomUUID()
    this.#follower =
      state === null ? null : new Follower(await Source.open(this.#options.databaseUrl), this.#store, state)
  }

  async #closeStore(checkpoint: boolean): Promise<void> {
    const store = this.#store
    this.#store = null
    this.#follower = null
    if (store === null) return
    // Closing a connection while its query runs would never end.
    for (let wait = 0; this.#queries > 0 && wait < 50; wait++) await Bun.sleep(20)
    if (this.#queries > 0) return
    if (checkpoint) await store.run("CHECKPOINT").catch(() => {})
    try {
      store.close()
    } catch {
      // It refuses everything after a fatal failure.
    }
  }

  async #rebuild(sources: RebuildSources): Promise<void> {
    const store = this.#store!
    this.#enter("rebuilding", this.#phase === "rebuilding" ? this.#why : null)
    const { folder, host, linkedRows } = this.#options
    const begun = this.#follower?.state ?? (await beginRebuild(sources.events, store, { folder, host }))
    // One that was interrupted goes on, if the app database is still the one that it began with.
    await new Follower(sources.sessions, store, begun).requireContinuity()
    const reports = await Source.open(this.#options.databaseUrl)
    const onProgress = (progress: RebuildProgress) => {
      this.#progress = progress
      this.#report()
      // Only commands show it, so a failure does not matter.
      void this.#publishStatus(reports, begun.replicaId).catch(() => {})
      if (this.#stopping) throw new SourceError("it is stopping")
      if (this.#rebuildRequested) this.#beginAgain()
    }
    const state = await finishRebuild(sources, store, begun, onProgress, linkedRows).finally(() => reports.close())
    await store.checkpoint()
    this.#progress = null
    this.#follower = new Follower(sources.sessions, store, state)
  }

  async #follow(source: Source, onSuccess: () => void): Promise<void> {
    const follower = new Follower(source, this.#store!, this.#follower!.state)
    this.#follower = follower
    while (!this.#stopping) {
      if (this.#rebuildRequested) this.#beginAgain()
      if (this.#suspect) {
        await this.#store!.verify()
        this.#suspect = false
      }
      await this.#requireSpace()
      const syncs = this.#syncs.splice(0)
      const begun = performance.now()
      const isAsked = this.#asked > 0
      this.#asked = 0
      try {
        const { hasReplaced, position } = await follower.poll(async (reader) => {
          if (this.#isCheckDue(isAsked)) await this.#advanceCheck(reader, follower)
        })
        if (hasReplaced) this.#reportedAt = 0
        this.#obey(position)
        if (follower.state.isErasing) await this.#erase(follower)
        await this.#reportPosition(source, follower)
      } catch (cause) {
        this.#syncs.unshift(...syncs)
        throw cause
      }
      onSuccess()
      this.#bytes = await fileSize(this.#options.folder)
      this.#enter("following")
      await this.#publishStatus(source, follower.state.replicaId)
      for (const { resolve } of syncs) resolve()
      this.#scheduleChecks()
      const pause = isAsked
        ? PAUSE_MS.most
        : Math.min(Math.max((performance.now() - begun) * PAUSE_FACTOR, PAUSE_MS.least), PAUSE_MS.most)
      if (this.#syncs.length > 0 || this.#isCheckDue(isAsked)) continue
      const ended = performance.now()
      await this.#pause(pause)
      // A poll takes a core for a third of a second, which the questions that run can use.
      while (this.#isAnswering && performance.now() - ended < PAUSE_MS.most) await this.#pause(ANSWERING_MS)
    }
  }

  /** Whether questions run, and nothing else waits for a poll. */
  get #isAnswering(): boolean {
    return this.#queries > 0 && this.#syncs.length === 0 && !this.#stopping && !this.#rebuildRequested
  }

  #beginAgain(): never {
    this.#rebuildRequested = false
    throw new Rebuild("it was asked for")
  }

  /** Removes the bytes of what was deleted. */
  async #erase(follower: Follower): Promise<void> {
    await this.#store!.scrub()
    for (const suffix of ["", ".wal"]) await rm(join(this.#options.folder, `${SET_ASIDE}${suffix}`), { force: true })
    await follower.store({ isErasing: false })
    this.#reportedAt = 0
  }

  /** Does what a command has asked for in the app database. */
  #obey({ isCheckAsked, isRebuildAsked }: Position): void {
    if (isRebuildAsked) this.#rebuildRequested = true
    else if (isCheckAsked && !this.#isCheckUnreported && this.#checking?.complete !== true) void this.#startCheck(true)
  }

  /** Lets commands see the status in the app database: at once if they wait for it, otherwise now and then. */
  async #publishStatus(source: Source, replicaId: string): Promise<void> {
    const now = performance.now()
    const status = JSON.stringify(this.#status())
    const phase = `${this.#phase} ${this.#isUsable}`
    const isUrgent = this.#isCheckUnreported || phase !== this.#publishedPhase
    const every = this.#phase === "rebuilding" || this.#checking !== null ? STATUS_MS : REPORT_MS
    if (!isUrgent && now - this.#publishedAt < every) return
    this.#publishedAt = now
    this.#publishedPhase = phase
    await source.write(
      `UPDATE product_analytics_replica SET status = $2::text::jsonb, reported_at = now(),
        checked_at = CASE WHEN $3::text = 'yes' THEN now() ELSE checked_at END
      WHERE replica_id = $1::text::uuid`,
      [replicaId, status, this.#isCheckUnreported ? "yes" : "no"]
    )
    this.#isCheckUnreported = false
  }

  /** Reports to the app database which notes this replica has seen, and changes the token now and then. */
  async #reportPosition(source: Source, follower: Follower): Promise<void> {
    const now = performance.now()
    if (this.#reportedAt !== 0 && now - this.#reportedAt < REPORT_MS) return
    const { replicaId, snapshot, token } = follower.state
    const next = this.#tokenAt === 0 || now - this.#tokenAt >= TOKEN_MS ? randomUUID() : token
    // The position must be in the file, which is what a restart continues from.
    await follower.store({})
    const rows = await source.write(
      `UPDATE product_analytics_replica SET previous_token = $2::text::uuid, token = $3::text::uuid, seen_at = now(), position = $4::text::xid8
      WHERE replica_id = $1::text::uuid AND $2::text::uuid IN (token, previous_token) RETURNING 1`,
      [replicaId, token, next, String(parseSnapshot(snapshot).xmin)]
    )
    if (rows.length === 0)
      throw new Rebuild("the app database was restored from a backup, or has forgotten this replica")
    if (next !== token) {
      await follower.store({ token: next })
      this.#tokenAt = now
    }
    this.#reportedAt = now
  }

  #scheduleChecks(): void {
    if (this.#checking !== null) return
    if (Date.now() >= this.#completeCheckAt) {
      this.#completeCheckAt = Date.now() + DAY_MS
      void this.#startCheck(true, performance.now() + POSTPONED_MS)
    } else if (performance.now() >= this.#recentCheckAt) {
      this.#recentCheckAt = Number.POSITIVE_INFINITY
      void this.#startCheck(false, performance.now() + POSTPONED_MS)
    }
  }

  /** Whether a check goes on now. */
  #isCheckDue(isAsked: boolean): boolean {
    return this.#checking !== null && !(isAsked && performance.now() < this.#checking.givesWayUntil)
  }

  #startCheck(complete: boolean, givesWayUntil = 0): Promise<ReplicaCheck> {
    const { promise, resolve } = Promise.withResolvers<ReplicaCheck>()
    if (this.#checking === null || (complete && !this.#checking.complete)) {
      const waiting = this.#checking?.waiting ?? []
      this.#checking = { complete, givesWayUntil, units: null, differing: new Set(), waiting: [...waiting] }
    }
    this.#checking.givesWayUntil = Math.min(this.#checking.givesWayUntil, givesWayUntil)
    this.#checking.waiting.push(resolve)
    this.#wake?.()
    return promise
  }

  /** Checks some days, while the file and the reader are at the same position. */
  async #advanceCheck(reader: Reader, follower: Follower): Promise<void> {
    const checking = this.#checking
    if (checking === null) return
    const since = new Date(Date.now() - RECENT_DAYS * DAY_MS).toISOString().slice(0, 10)
    checking.units ??= [
      ...(await checkUnits(reader, this.#store!, checking.complete ? null : since, this.#options.checkedEvents))
    ]
    const begun = performance.now()
    while (performance.now() - begun < CHECK_MS) {
      const unit = checking.units.shift()
      if (unit === undefined) break
      for (const { day, range } of await runUnit(reader, this.#store!, unit)) {
        checking.differing.add(day)
        follower.resync(range)
      }
    }
    if (checking.units.length > 0 || this.#checking !== checking) return
    this.#checking = null
    this.#check = { at: Date.now(), complete: checking.complete, differences: checking.differing.size }
    this.#isCheckUnreported = checking.complete
    for (const resolve of checking.waiting) resolve(this.#check)
  }

  #sync(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#syncs.push({ resolve, reject })
      this.#wake?.()
    })
  }

  #failSyncs(why: string): void {
    for (const { reject } of this.#syncs.splice(0)) {
      reject(new QueryError({ reason: "Unavailable", message: `The replica is not up to date: ${why}.` }))
    }
  }

  async #pause(milliseconds: number): Promise<void> {
    if (this.#stopping) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
    this.#wake = null
  }
}

/** In ms, until about 3 in the morning, UTC. */
const nightDelay = (): number => {
  const now = Date.now()
  const night = Math.floor(now / DAY_MS) * DAY_MS + 3 * 3_600_000 + Math.random() * 1_800_000
  return night > now ? night - now : night + DAY_MS - now
}

const lockFolder = (folder: string): FileLock => {
  const lock = tryLock(join(folder, "lock"), "exclusive")
  if (lock === undefined) throw new Locked(`another process uses ${folder}`)
  return lock
}

const fileSize = async (folder: string): Promise<number> => {
  const sizes = await Promise.all(
    ["", ".wal"].map((suffix) =>
      stat(join(folder, `${FILE}${suffix}`)).then(
        ({ size }) => size,
        () => 0
      )
    )
  )
  return sizes.reduce((sum, size) => sum + size, 0)
}

/** Bun's errors of a connection or a statement have a code; DuckDB's have none. */
const isPostgresFailure = (cause: unknown): boolean =>
  cause instanceof SourceError || (cause instanceof Error && ("errno" in cause || "code" in cause))
