import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Effect } from "effect"
import { readRecords } from "../../../layers/spool/readRecords.ts"
import { openSpool, type Spool, type SpoolOptions } from "../../../layers/spool/Spool.ts"
import type { Damage } from "../../../layers/spool/scan.ts"
import { temporaryFolder } from "../postgres/postgres.ts"

/** Bytes of a segment, unless a test needs another size. */
export const SEGMENT = 64 << 10

/** A folder that does not exist yet. */
export const newFolder = (): string => join(temporaryFolder(), "spool")

export const spoolOptions = (folder: string, changes: Partial<SpoolOptions> = {}): SpoolOptions => ({
  folder,
  maxPending: 10_000,
  maxBytes: 64 * SEGMENT,
  timeoutMs: 5_000,
  segmentBytes: SEGMENT,
  ...changes
})

/** Opens a spool, uses it and closes it. */
export const withSpool = <A, E>(
  folder: string,
  use: (spool: Spool) => Effect.Effect<A, E>,
  changes?: Partial<SpoolOptions>
): Promise<A> => Effect.runPromise(Effect.scoped(Effect.flatMap(openSpool(spoolOptions(folder, changes)), use)))

/** Appends all records at the same time. */
export const appendAll = (spool: Spool, records: ReadonlyArray<string>) =>
  Effect.all(
    records.map((record) => spool.append(record)),
    { concurrency: "unbounded", discard: true }
  )

/** Appends each record in a group of its own. */
export const appendEach = (spool: Spool, records: ReadonlyArray<string>) =>
  Effect.forEach(records, spool.append, { discard: true })

export interface Content {
  readonly records: ReadonlyArray<string>
  readonly damages: ReadonlyArray<Damage>
}

export const readFolder = (folder: string, from: number, to: number): Content => {
  const damages: Array<Damage> = []
  const records = Array.from(
    readRecords(folder, from, to, (damage) => damages.push(damage)),
    ({ payload }) => Buffer.from(payload).toString()
  )
  return { records, damages }
}

/** Everything in a spool that is not trimmed. */
export const contentOf = (spool: Spool): Content => readFolder(spool.folder, spool.oldest, spool.durable())

/** What the next owner finds, and how many bytes it cut. */
export const reopened = (folder: string): Promise<Content & { readonly cut: number }> =>
  withSpool(folder, (spool) => Effect.sync(() => ({ ...contentOf(spool), cut: spool.cut })))

export const segmentFiles = (folder: string): ReadonlyArray<string> =>
  readdirSync(folder)
    .filter((name) => name.endsWith(".log"))
    .sort()

export const changeFile = (path: string, change: (bytes: Buffer) => Buffer): void =>
  writeFileSync(path, change(readFileSync(path)))

/** The failure to open a spool; null if it opens. */
export const openFailure = async (folder: string) => {
  const opened = await Effect.runPromise(Effect.scoped(Effect.result(openSpool(spoolOptions(folder)))))
  return opened._tag === "Failure" ? { reason: opened.failure.reason, message: opened.failure.message } : null
}
