import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { ensureVenv } from "./fetch.ts"
import { endpoint, inServices, port } from "./place.ts"
import type { Service } from "./Service.ts"
import { VERSIONS } from "./versions.ts"

const FOLDER = inServices("moto")
const ANSWER_MS = 2_000

const install = () => ensureVenv("moto", [`moto[server]==${VERSIONS.moto}`])

/** AWS Glue (and S3, and Kinesis) in memory. It checks neither Glue's VersionId nor credentials. */
export const moto: Service = {
  name: "moto",
  what: "moto: AWS Glue, S3 and Kinesis in memory; the data is lost when it stops",
  version: VERSIONS.moto,
  ports: ["moto"],
  dataFolder: FOLDER,
  fetch: async () => {
    await install()
  },
  prepare: async () => {
    const bin = await install()
    mkdirSync(FOLDER, { recursive: true })
    return {
      program: join(bin, "moto_server"),
      args: ["-H", "127.0.0.1", "-p", String(port("moto"))],
      cwd: FOLDER,
      env: { PATH: "/usr/bin:/bin", HOME: FOLDER, TZ: "UTC" }
    }
  },
  isReady: () =>
    fetch(`${endpoint.moto()}/moto-api/`, { signal: AbortSignal.timeout(ANSWER_MS) })
      .then(({ ok }) => ok)
      .catch(() => false),
  startMs: 30_000,
  stopSignal: "SIGTERM",
  stopMs: 10_000
}
