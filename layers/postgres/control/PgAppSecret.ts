import { Effect, Layer, Redacted } from "effect"
import { StartError } from "../../../src/domain/StartError.ts"
import { AppSecret, type SecretSource } from "../../../src/ports/AppSecret.ts"
import { Settings } from "../../../src/ports/Settings.ts"
import { isPlaceholderSecret } from "../../../src/settings/appSecret.ts"
import { APP_SECRET, ENCRYPTION_SECRET_KEY, type Setting } from "../../../src/settings/settings.ts"
import { AppDatabase } from "../client/Database.ts"
import { runStatement } from "../client/runStatement.ts"

/** The secret's row in `product_analytics_secret`. */
const NAME = "app-secret"

// Of any number of processes that start together, one inserts and all read the same.
const INSERT = "INSERT INTO product_analytics_secret (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING"
const READ = "SELECT value FROM product_analytics_secret WHERE name = $1"

const newSecret = () => Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64url")

/** `APP_SECRET`, else `ENCRYPTION_SECRET_KEY`, else the instance's own, made once and kept in the app database. */
export const layer: Layer.Layer<AppSecret, StartError, Settings | AppDatabase> = Layer.effect(
  AppSecret,
  Effect.gen(function* () {
    const settings = yield* Settings
    const configured = Effect.fnUntraced(function* (setting: Setting<string | null>, source: SecretSource) {
      const value = settings.get(setting)
      if (value !== null && isPlaceholderSecret(value)) {
        return yield* new StartError({
          message: `${setting.env} is a known placeholder, which protects nothing; set it to a random value, such as the output of \`openssl rand -base64 32\`, or leave it out.`
        })
      }
      return value === null ? null : { value: Redacted.make(value), source }
    })
    const own = yield* configured(APP_SECRET, "APP_SECRET")
    const encryption = yield* configured(ENCRYPTION_SECRET_KEY, "ENCRYPTION_SECRET_KEY")
    const given = own ?? encryption
    if (given !== null) return given

    const sql = yield* AppDatabase
    const ask = <Row extends object>(statement: string, values: ReadonlyArray<string>) =>
      runStatement(
        sql.unsafe<Row>(statement, values),
        (message) => new StartError({ message: `The application secret can't be read: ${message}` })
      )
    const read = ask<{ readonly value: string }>(READ, [NAME])
    let [row] = yield* read
    if (row === undefined) {
      yield* ask(INSERT, [NAME, newSecret()])
      row = (yield* read)[0]
    }
    if (row === undefined)
      return yield* new StartError({ message: "The application secret can't be kept in the app database." })
    return { value: Redacted.make(row.value), source: "database" as const }
  })
)
