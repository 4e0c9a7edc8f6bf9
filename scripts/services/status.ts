import { megabytes, sizeOf } from "./fetch.ts"
import { port } from "./place.ts"
import { memoryOf, runningPid } from "./processes.ts"
import type { Service } from "./Service.ts"

/** A service's status. Sizes in bytes; `memoryBytes` is the resident set of its main process, without children. */
export interface ServiceStatus {
  readonly name: string
  /** `starting` also if it runs and does not answer. */
  readonly state: "up" | "starting" | "down"
  readonly pid: number | null
  readonly port: number
  readonly memoryBytes: number | null
  readonly version: string
  readonly dataBytes: number
}

export const statusOf = async (service: Service): Promise<ServiceStatus> => {
  const pid = runningPid(service.name)
  return {
    name: service.name,
    state: pid === undefined ? "down" : (await service.isReady()) ? "up" : "starting",
    pid: pid ?? null,
    port: port(service.ports[0]!),
    memoryBytes: (pid === undefined ? undefined : memoryOf(pid)) ?? null,
    version: service.version,
    dataBytes: sizeOf(service.dataFolder)
  }
}

export const statusTable = (statuses: ReadonlyArray<ServiceStatus>): string => {
  const rows = statuses.map((status) => [
    status.name,
    status.state,
    status.pid === null ? "-" : String(status.pid),
    String(status.port),
    status.memoryBytes === null ? "-" : megabytes(status.memoryBytes),
    status.version,
    megabytes(status.dataBytes)
  ])
  const table = [["name", "state", "pid", "port", "memory", "version", "data"], ...rows]
  const widths = table[0]!.map((_, column) => Math.max(...table.map((row) => row[column]!.length)))
  return table
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join("  ")
        .trimEnd()
    )
    .join("\n")
}
