import { Context, type Redacted } from "effect"

/** Where the secret behind session ids and tokens came from. */
export type SecretSource = "APP_SECRET" | "ENCRYPTION_SECRET_KEY" | "database"

/**
 * The secret that Umami calls `APP_SECRET`: the same value on every collector gives the same session ids and mutually valid
 * tokens. Configuration decides, else the encryption secret, else one generated once and kept in the app database.
 */
export class AppSecret extends Context.Service<
  AppSecret,
  {
    readonly value: Redacted.Redacted<string>
    readonly source: SecretSource
  }
>()("footfall/ports/AppSecret") {}
