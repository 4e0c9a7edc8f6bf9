import { existsSync, readFileSync } from "node:fs"
import { isIP } from "node:net"
import { homedir } from "node:os"
import { join } from "node:path"
import type { ConnectionOptions } from "node:tls"
import { Effect } from "effect"
import { StartError } from "../../../../src/domain/StartError.ts"
import type { DatabaseTarget, Server } from "./DatabaseTarget.ts"

/** One attempt to connect: without TLS, or with these options. */
export type Attempt = false | ConnectionOptions

/** libpq's folder for certificates, which it uses by default. */
const inLibpqFolder = (name: string): string | undefined => {
  const path = join(homedir(), ".postgresql", name)
  return existsSync(path) ? path : undefined
}

const read = (setting: string, parameter: string, path: string): Effect.Effect<Buffer, StartError> =>
  Effect.try({
    try: () => readFileSync(path),
    catch: (cause) =>
      new StartError({
        message: `${setting} can't be used: the file of ${parameter} can't be read: ${String(cause)}`
      })
  })

/** The client's certificate and key, if there are any. */
const clientCertificate = Effect.fnUntraced(function* ({ certificate, key }: DatabaseTarget, setting: string) {
  const certificateFile = certificate ?? inLibpqFolder("postgresql.crt")
  if (certificateFile === undefined) return {}
  const keyFile = key ?? inLibpqFolder("postgresql.key")
  if (keyFile === undefined) {
    return yield* new StartError({
      message: `${setting} can't be used: it has sslcert but no sslkey, which names the certificate's key.`
    })
  }
  return { cert: yield* read(setting, "sslcert", certificateFile), key: yield* read(setting, "sslkey", keyFile) }
})

/**
 * The attempts for each server, in order. Like libpq, only `verify-ca` and `verify-full` check the certificate, and so does `require`
 * when there is a root certificate; only `verify-full` checks the name. A Unix socket never has TLS.
 */
export const tlsAttempts = Effect.fnUntraced(function* (
  target: DatabaseTarget,
  setting: string
): Effect.fn.Return<(server: Server) => ReadonlyArray<Attempt>, StartError> {
  const mode = target.tlsMode ?? "prefer"
  if (mode === "disable") return () => [false]
  const system = target.rootCertificate === "system"
  const rootFile = system ? undefined : (target.rootCertificate ?? inLibpqFolder("root.crt"))
  const verifies = mode === "verify-ca" || mode === "verify-full" || (mode === "require" && rootFile !== undefined)
  if (verifies && !system && rootFile === undefined) {
    return yield* new StartError({
      message: `${setting} can't be used: sslmode=${mode} requires the server's root certificate. Add sslrootcert=FILE, or sslrootcert=system if a public authority issued the server's certificate.`
    })
  }
  const options: ConnectionOptions = {
    ...(yield* clientCertificate(target, setting)),
    rejectUnauthorized: verifies,
    ...(verifies && rootFile !== undefined ? { ca: yield* read(setting, "sslrootcert", rootFile) } : {}),
    ...(mode === "verify-full" ? {} : { checkServerIdentity: () => undefined })
  }
  return ({ host }) => {
    if (host.startsWith("/")) return [false]
    const withTls = { ...options, host, ...(isIP(host) === 0 ? { servername: host } : {}) }
    return mode === "prefer" ? [withTls, false] : mode === "allow" ? [false, withTls] : [withTls]
  }
})
