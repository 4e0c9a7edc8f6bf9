import { connect } from "node:net"
import type { Duplex } from "node:stream"
import { PgConnection, type PgTypes } from "@effect/sql-pg"
import { Duration, Effect, Exit, Scope } from "effect"
import { SqlError } from "effect/sql"
import { READ_ONLY_CODE, sqlCode } from "./sqlErrors.ts"
import type { DatabaseTarget, Server } from "./url/DatabaseTarget.ts"
import type { Attempt } from "./url/tls.ts"

/** A server on a good network answers in milliseconds; a packet filter that drops packets must not delay a start for long. */
const CONNECT_TIMEOUT = Duration.seconds(5)
/** Firewalls and cloud load balancers silently drop TCP connections that are idle for some minutes. */
const KEEP_ALIVE = Duration.seconds(30)

/** How to reach the app database: what `DATABASE_URL` says, and how its servers are connected to. */
export interface Endpoint {
  readonly target: DatabaseTarget
  readonly attempts: (server: Server) => ReadonlyArray<Attempt>
}

export interface SessionOptions {
  readonly applicationName: string
  /** Settings of the connection, such as `statement_timeout`. A pooler does not keep them. */
  readonly session: Readonly<Record<string, string>>
  readonly types: PgTypes.Registry
  /** The pause before TCP probes of an idle connection begin. */
  readonly keepAlive?: Duration.Duration
  /** Called once, when the connection is lost or closed. */
  readonly onClose?: () => void
}

/** Writing requires the first; `target_session_attrs=primary` requires both. */
const STATE = "SELECT current_setting('transaction_read_only') = 'on', pg_is_in_recovery()"

const failure = (code: string, message: string) =>
  new SqlError.SqlError({
    reason: new SqlError.ConnectionError({ cause: Object.assign(new Error(message), { code }), message })
  })

/** Fails on a standby, on a server that was demoted, and on one that accepts no writes for another reason, such as a full disk. */
const requireWritable = Effect.fnUntraced(function* (connection: PgConnection.PgConnection, primaryOnly: boolean) {
  const [row] = yield* connection.queryValues(STATE, [], false)
  if (row?.[0] !== false)
    return yield* failure(READ_ONLY_CODE, "the server is read-only: it is a standby, or was demoted")
  if (primaryOnly && row[1] !== false) return yield* failure(READ_ONLY_CODE, "the server is not a primary")
})

/** A connection to one server with or without TLS. */
const attemptOnce = Effect.fnUntraced(function* (
  { target }: Endpoint,
  { host, port }: Server,
  ssl: Attempt,
  options: SessionOptions
) {
  const keepAlive = Duration.toMillis(options.keepAlive ?? KEEP_ALIVE)
  let opened = false
  let isUsed = false
  // A connection that was not good enough may close much later, when another one is in use.
  const onClose = () => {
    if (isUsed) options.onClose?.()
  }
  // The driver also calls this to send a cancel request.
  const stream = (): Duplex => {
    const socket = host.startsWith("/")
      ? connect({ path: `${host}/.s.PGSQL.${port}` })
      : connect({ host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: keepAlive })
    if (!opened) socket.once("close", onClose)
    opened = true
    return socket
  }
  const limit =
    target.connectTimeoutSeconds === undefined ? CONNECT_TIMEOUT : Duration.seconds(target.connectTimeoutSeconds)
  const open = Effect.gen(function* () {
    const connection = yield* PgConnection.make({
      host,
      port,
      stream,
      ssl,
      database: target.database,
      username: target.username,
      password: target.password,
      applicationName: target.applicationName ?? options.applicationName,
      startupOptions: target.options,
      startupParameters: target.pooled ? {} : options.session,
      types: options.types,
      prepare: !target.pooled,
      connectTimeout: Duration.infinity
    })
    yield* requireWritable(connection, target.primaryOnly)
    isUsed = true
    return connection
  })
  return yield* Effect.timeoutOrElse(open, {
    duration: limit,
    orElse: () => Effect.fail(failure("ETIMEDOUT", `no connection within ${Duration.format(limit)}`))
  })
})

/** Whether the server may accept a connection with the opposite use of TLS: the handshake failed, or `pg_hba.conf` refuses this one. */
const mayAcceptOther = (error: SqlError.SqlError): boolean =>
  ["", "28000", "ECONNRESET", "EPROTO"].includes(sqlCode(error))

/**
 * Opens a connection to the first server that accepts it and accepts writes, until the scope closes. Fails with the last server's
 * error.
 */
export const openConnection = Effect.fnUntraced(function* (
  endpoint: Endpoint,
  options: SessionOptions
): Effect.fn.Return<PgConnection.PgConnection, SqlError.SqlError, Scope.Scope> {
  const parent = yield* Effect.scope
  let last: SqlError.SqlError | undefined
  for (const server of endpoint.target.servers) {
    for (const ssl of endpoint.attempts(server)) {
      const scope = yield* Scope.fork(parent)
      const outcome = yield* Effect.result(
        attemptOnce(endpoint, server, ssl, options).pipe(
          Scope.provide(scope),
          Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause)))
        )
      )
      if (outcome._tag === "Success") return outcome.success
      last = outcome.failure
      if (!mayAcceptOther(last)) break
    }
  }
  return yield* last ?? failure("ENOENT", "no server")
})
