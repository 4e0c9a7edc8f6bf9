import { Schema } from "effect"
import { ATTEMPT_SECONDS } from "../../src/ports/SingleSignOn.ts"
import { makeSeal } from "./makeSeal.ts"

/** What has to be known again when the provider sends the browser back. */
const Attempt = Schema.Struct({
  issuer: Schema.String,
  state: Schema.String,
  nonce: Schema.String,
  verifier: Schema.String,
  next: Schema.String
})

/** What signing out at the provider needs. */
const ProviderSession = Schema.Struct({
  issuer: Schema.String,
  clientId: Schema.String,
  /** Null if it is too long for the address of a page. */
  idToken: Schema.NullOr(Schema.String)
})

/** That somebody was sent to the provider to sign out there. Nothing else has to be known again. */
const SignOut = Schema.Struct({})

/** How what single sign-on keeps elsewhere is sealed. */
export const makeSeals = (secret: string) => ({
  attempt: makeSeal(Attempt, { secret, purpose: "footfall single sign-on", seconds: ATTEMPT_SECONDS }),
  /** Ends with the session that it is kept with. */
  session: makeSeal(ProviderSession, { secret, purpose: "footfall session at the provider", seconds: null }),
  signOut: makeSeal(SignOut, { secret, purpose: "footfall sign-out at the provider", seconds: ATTEMPT_SECONDS })
})
