import { Effect, Layer, Redacted } from "effect"
import { StartError, startLater } from "../../../src/domain/StartError.ts"
import { AppSecret, type SecretSource } from "../../../src/ports/AppSecret.ts"
import { Settings } from "../../../src/ports/Settings.ts"
import { isPlaceholderSecret } from "../../../src/settings/appSecret.ts"
import { APP_SECRET, ENCRYPTION_SECRET_KEY, type Setting } from "../../../src/settings/settings.ts"
import { AppDatabase } from "../client/Database.ts"
import { runStatement } from "../client/runStatement.ts"

/** The secret's row in `product_analytics_secret`. */
const NAME = "app-secret"

// If several processes start at the same time, one inserts and all read the same value.
const INSERT = "INSERT INTO product_analytics_secret (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING"
const READ = "SELECT value FROM product_analytics_secret WHERE name = $1"

const newSecret = () => Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64url")

/** The secret of a setting; null if it is not set. */
const configuredSecret = Effect.fnUntraced(function* (setting: Setting<string | null>, source: SecretSource) {
  const value = (yield* Settings).get(setting)
  if (value === null) return null
  if (isPlaceholderSecret(value)) {
    return yield* new StartError({
      message: `${setting.env} is a known placeholder, which protects nothing; set it to a random value, such as the output of \`openssl rand -base64 32\`, or leave it out.`
    })
  }
  return { value: Redacted.make(value), source }
})

/** The instance's own secret, generated if the app database has none. */
const storedSecret = Effect.gen(function* () {
  const sql = yield* AppDatabase
  const run = <Row extends object>(statement: string, values: ReadonlyArray<string>) =>
    runStatement(sql.unsafe<Row>(statement, values), (message) =>
      startLater(`Can't read the application secret: ${message}`)
    )
  const read = run<{ readonly value: string }>(READ, [NAME])
  let [row] = yield* read
  if (row === undefined) {
    yield* run(INSERT, [NAME, newSecret()])
    row = (yield* read)[0]
  }
  if (row === undefined)
    return yield* new StartError({ message: "Can't store the application secret in the app database." })
  return { value: Redacted.make(row.value), source: "database" as const }
})

/** `APP_SECRET`, else `ENCRYPTION_SECRET_KEY`, else the instance's own, generated once and stored in the app database. */
export const layer: Layer.Layer<AppSecret, StartError, Settings | AppDatabase> = Layer.effect(
  AppSecret,
  Effect.gen(function* () {
    const appSecret = yield* configuredSecret(APP_SECRET, "APP_SECRET")
    const encryptionKey = yield* configuredSecret(ENCRYPTION_SECRET_KEY, "ENCRYPTION_SECRET_KEY")
    return appSecret ?? encryptionKey ?? (yield* storedSecret)
  })
)
