import { settingsOf } from "./Setting.ts"
import { integer, oneOf, optional, string } from "./types.ts"

const define = settingsOf("Storage")

export const DATABASE_URL = define({
  env: "DATABASE_URL",
  type: optional(string("a postgres:// URL", /^postgres(ql)?:\/\//)),
  default: null,
  doc: "The app database. Without it, `bun run full` runs an embedded Postgres with its data in `DATA_DIR`, which collectors join.",
  secret: true,
  environmentOnly: true
})
export const DATA_DIR = define({
  env: "DATA_DIR",
  type: string("a folder"),
  default: ".footfall",
  doc: "Folder for the embedded Postgres's data.",
  environmentOnly: true
})
export const DATABASE_POOL_SIZE = define({
  env: "DATABASE_POOL_SIZE",
  type: integer({ min: 2, max: 100 }),
  default: 6,
  doc: "Connections from one process to the app database, not counting the event writer's.",
  environmentOnly: true
})
export const STORAGE_BACKEND = define({
  env: "STORAGE_BACKEND",
  type: oneOf("postgres", "iceberg"),
  default: "postgres",
  doc: "Where events are stored: in the app database, or in an Iceberg lake on S3 or in a folder."
})
export const PARTITION_MIN_EVENTS = define({
  env: "PARTITION_MIN_EVENTS",
  type: integer({ min: 1, max: 1_000_000_000 }),
  default: 10_000,
  doc: "A past or far month gets its own tables in Postgres once it has this many events. Until then, its events stay in the default partition."
})
export const STORAGE_BATCH_SIZE = define({
  env: "STORAGE_BATCH_SIZE",
  type: integer({ min: 1, max: 10_000 }),
  default: 1_000,
  doc: "Maximum records per statement."
})
export const STORAGE_IN_FLIGHT = define({
  env: "STORAGE_IN_FLIGHT",
  type: integer({ min: 1, max: 16 }),
  default: 2,
  doc: "Batches written at the same time, each on its own connection. Batches of fewer than 96 records start at least 4 ms apart and, while others are being written, after 0.1 s."
})
export const STORAGE_QUEUE_EVENTS = define({
  env: "STORAGE_QUEUE_EVENTS",
  type: integer({ min: 100, max: 10_000_000 }),
  default: 20_000,
  doc: "Maximum records waiting to be written. Beyond it, clients get 503 with `Retry-After`."
})
export const STORAGE_QUEUE_BYTES = define({
  env: "STORAGE_QUEUE_BYTES",
  type: integer({ min: 1 << 20, max: 17_179_869_184, unit: "bytes" }),
  default: 67_108_864,
  doc: "Maximum estimated bytes waiting to be written. Beyond it, clients get 503 with `Retry-After`."
})
export const STORAGE_TIMEOUT_SECONDS = define({
  env: "STORAGE_TIMEOUT_SECONDS",
  type: integer({ min: 1, max: 120, unit: "seconds" }),
  default: 10,
  doc: "How long a record may wait for its commit before the client gets 503."
})
