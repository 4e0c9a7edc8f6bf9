/** What `DATABASE_URL` may say after the `?`, with libpq's meaning: https://www.postgresql.org/docs/current/libpq-connect.html */
export interface Parameter {
  /** The accepted values in words. */
  readonly accepts: string
  readonly isValid: (value: string) => boolean
}

const anything = (accepts: string): Parameter => ({ accepts, isValid: (value) => value !== "" })

const oneOf = (...values: ReadonlyArray<string>): Parameter => ({
  accepts: values.join(", "),
  isValid: (value) => values.includes(value)
})

const isPort = (value: string): boolean => /^\d{1,5}$/.test(value) && Number(value) >= 1 && Number(value) <= 65_535

/** By name; `docs/deployment.md` explains them. */
export const PARAMETERS: Readonly<Record<string, Parameter>> = {
  host: anything("a host, a socket's folder, or several of them separated by commas"),
  port: {
    accepts: "1 to 65535, once or for each host",
    isValid: (value) => value.split(",").every((part) => part === "" || isPort(part))
  },
  user: anything("a role"),
  password: anything("a password"),
  dbname: anything("a database"),
  application_name: anything("a name"),
  connect_timeout: { accepts: "a number of seconds", isValid: (value) => /^\d{1,6}$/.test(value) },
  options: anything("server options such as `-c search_path=footfall`"),
  sslmode: oneOf("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
  ssl: oneOf("true"),
  sslrootcert: anything("a file, or `system` for the system's certificate authorities"),
  sslcert: anything("a file"),
  sslkey: anything("a file"),
  target_session_attrs: oneOf("any", "read-write", "primary"),
  // The driver does not bind SCRAM to the TLS channel, which is what these two values allow.
  channel_binding: oneOf("disable", "prefer"),
  pgbouncer: oneOf("true", "false")
}

/** What to do instead of some parameters that other clients know. */
const INSTEAD: Readonly<Record<string, string>> = {
  schema: "Write options=-c%20search_path%3DNAME instead.",
  search_path: "Write options=-c%20search_path%3DNAME instead.",
  connection_limit: "Set DATABASE_POOL_SIZE instead.",
  pool_timeout: "Remove it.",
  statement_timeout: "Set STORAGE_TIMEOUT_SECONDS and WAREHOUSE_TIMEOUT_SECONDS instead.",
  passfile: "Put the password into the URL.",
  hostaddr: "Write the address as host instead.",
  sslaccept: "Use sslmode instead."
}

/** Why a parameter can't be used; null if it can. */
export const parameterProblem = (name: string, value: string): string | null => {
  if (!Object.hasOwn(PARAMETERS, name)) {
    const supported = Object.keys(PARAMETERS).join(", ")
    return `it has the parameter ${JSON.stringify(name)}, which Footfall does not support. ${INSTEAD[name] ?? "Remove it."} Supported: ${supported}`
  }
  const parameter = PARAMETERS[name]!
  if (parameter.isValid(value)) return null
  const found = name === "password" ? "empty" : JSON.stringify(value)
  return `its parameter ${name} is ${found}; it accepts ${parameter.accepts}`
}
