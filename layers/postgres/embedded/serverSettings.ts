import { readFileSync } from "node:fs"
import { totalmem } from "node:os"
import type { Place } from "./Place.ts"
import { clusterName, SOCKET_PORT } from "./postmaster.ts"

const MIB = 1 << 20
/** The memory of this machine or container, in bytes. */
const memoryBytes = (): number => {
  try {
    const limit = Number(readFileSync("/sys/fs/cgroup/memory.max", "utf8"))
    return limit > 0 ? Math.min(limit, totalmem()) : totalmem()
  } catch {
    return totalmem()
  }
}

/** The server's settings. They are passed on the command line, so that no version of Footfall reads another's configuration file. */
export const serverSettings = (place: Place): Readonly<Record<string, string>> => ({
  cluster_name: clusterName(place.cluster),
  listen_addresses: "",
  port: String(SOCKET_PORT),
  unix_socket_directories: place.socketFolder,
  unix_socket_permissions: "0700",
  // For the writers of 64 workers, and a few full pools.
  max_connections: "250",
  // A stored event is an fsynced event, and nothing may weaken that.
  fsync: "on",
  synchronous_commit: "on",
  full_page_writes: "on",
  // The newest month's indexes should stay in memory; the rest is for the collector and the page cache.
  shared_buffers: `${Math.round(Math.min(Math.max(memoryBytes() / 8, 64 * MIB), 1024 * MIB) / MIB)}MB`,
  // Inserts at random session ids change most pages after each checkpoint, and the first change writes the whole page to the WAL.
  // Rare checkpoints and compression keep the WAL small. Recovery stays short.
  max_wal_size: "2GB",
  min_wal_size: "128MB",
  checkpoint_timeout: "15min",
  wal_compression: "on",
  // Batches are short and plans are reused, so compiling them is not worthwhile.
  jit: "off",
  random_page_cost: "1.1",
  timezone: "UTC",
  log_timezone: "UTC",
  log_min_messages: "warning",
  log_checkpoints: "off",
  log_connections: "",
  log_lock_waits: "off",
  // DETAIL lines and statements of failed inserts contain visitors' data, which must not be logged.
  log_error_verbosity: "terse",
  log_min_error_statement: "panic"
})
