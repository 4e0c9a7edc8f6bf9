import { Context, Effect, Layer } from "effect"

/** How far an export is. */
export interface ExportProgress {
  readonly state: "running" | "done" | "failed"
  readonly rows: number
  readonly bytes: number
  /** In ms since 1970. */
  readonly startedAt: number
  readonly endedAt: number | null
  /** What went wrong, as a sentence; null if nothing did. */
  readonly problem: string | null
}

interface Entry {
  readonly owner: string
  progress: ExportProgress
}

/** What a running export reports. */
export interface ExportReport {
  readonly id: string
  readonly advance: (rows: number, bytes: number) => void
  readonly end: (state: "done" | "failed", problem: string | null, at: number) => void
}

/** Exports whose progress can be asked for. Older ones are forgotten. */
const KEPT = 500

const makeLog = () => {
  const entries = new Map<string, Entry>()
  return {
    /** Begins an export of this owner. */
    begin: (owner: string, at: number): ExportReport => {
      const id = crypto.randomUUID()
      const entry: Entry = {
        owner,
        progress: { state: "running", rows: 0, bytes: 0, startedAt: at, endedAt: null, problem: null }
      }
      entries.set(id, entry)
      for (const oldest of entries.keys()) {
        if (entries.size <= KEPT) break
        entries.delete(oldest)
      }
      return {
        id,
        advance: (rows, bytes) => {
          const { progress } = entry
          entry.progress = { ...progress, rows: progress.rows + rows, bytes: progress.bytes + bytes }
        },
        end: (state, problem, endedAt) => {
          if (entry.progress.state === "running") entry.progress = { ...entry.progress, state, problem, endedAt }
        }
      }
    },
    /** The progress of this owner's export; null if there is none with this id in this process. */
    find: (owner: string, id: string): ExportProgress | null => {
      const entry = entries.get(id)
      return entry === undefined || entry.owner !== owner ? null : entry.progress
    }
  }
}

/** The exports of this process. */
export class ExportLog extends Context.Service<ExportLog, ReturnType<typeof makeLog>>()(
  "footfall/http/api/ExportLog"
) {}

export const layer: Layer.Layer<ExportLog> = Layer.effect(ExportLog, Effect.sync(makeLog))
