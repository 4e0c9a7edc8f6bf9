import { join, resolve } from "node:path"

export const PROJECT = join(import.meta.dir, "..", "..")

/** Folder for programs, data and logs of the local services; `FOOTFALL_SERVICES` overrides it. */
export const SERVICES_FOLDER = resolve(PROJECT, process.env["FOOTFALL_SERVICES"] ?? ".services")

export const inServices = (...parts: ReadonlyArray<string>): string => join(SERVICES_FOLDER, ...parts)

/** All on 127.0.0.1. Variables such as `FOOTFALL_PORT_S3=28334` override them. */
const PORTS = {
  postgres: 18432,
  seaweedMaster: 18333,
  seaweedMasterGrpc: 18433,
  seaweedVolume: 18340,
  seaweedVolumeGrpc: 18440,
  seaweedFiler: 18388,
  seaweedFilerGrpc: 18488,
  seaweedAdmin: 18336,
  /** SeaweedFS's worker expects it at the admin port + 10000. */
  seaweedAdminGrpc: 28336,
  s3: 18334,
  s3Grpc: 18434,
  icebergRest: 18335,
  moto: 18500,
  trino: 18080
} as const
export type PortName = keyof typeof PORTS

/** `seaweedMasterGrpc` is `FOOTFALL_PORT_SEAWEED_MASTER_GRPC`. */
export const portVariable = (name: PortName): string =>
  `FOOTFALL_PORT_${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`

export const port = (name: PortName): number => {
  const given = process.env[portVariable(name)]
  if (given === undefined || given === "") return PORTS[name]
  const number = Number(given)
  if (Number.isInteger(number) && number > 0 && number < 65_536) return number
  throw new Error(`${portVariable(name)} is ${JSON.stringify(given)}; it accepts 1 to 65535.`)
}

/** Where clients reach each service. */
export const endpoint = {
  s3: (): string => `http://127.0.0.1:${port("s3")}`,
  icebergRest: (): string => `http://127.0.0.1:${port("icebergRest")}`,
  icebergRestTokens: (): string => `http://127.0.0.1:${port("icebergRest")}/v1/oauth/tokens`,
  moto: (): string => `http://127.0.0.1:${port("moto")}`,
  trino: (): string => `http://127.0.0.1:${port("trino")}`
} as const
