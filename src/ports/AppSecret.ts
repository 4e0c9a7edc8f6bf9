import { Context, type Redacted } from "effect"

/** Where the secret that session ids and tokens are derived from came from. */
export type SecretSource = "APP_SECRET" | "ENCRYPTION_SECRET_KEY" | "database"

/**
 * Umami's `APP_SECRET`: the same value on every collector yields the same session ids and mutually valid tokens. It comes from the
 * configuration, otherwise from the encryption secret, otherwise it is generated once and kept in the app database.
 */
export class AppSecret extends Context.Service<
  AppSecret,
  {
    readonly value: Redacted.Redacted<string>
    readonly source: SecretSource
  }
>()("footfall/ports/AppSecret") {}
