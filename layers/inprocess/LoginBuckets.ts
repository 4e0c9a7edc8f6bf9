import { Clock, Effect, Layer } from "effect"
import { networkOf } from "../../src/lib/ipAddress.ts"
import { LoginLimits } from "../../src/ports/LoginLimits.ts"
import { makeTokenBuckets } from "./TokenBuckets.ts"

/** Attempts for an account: enough for somebody who has several passwords in mind, and too few to guess one. */
const ACCOUNT = { eventsPerSecond: 1 / 60, burst: 10 }
/** Attempts from an address, which an office may share. */
const ADDRESS = { eventsPerSecond: 1 / 5, burst: 50 }
/** Accounts and addresses that are remembered: about 5 MB. */
const MAX_BUCKETS = 20_000

/** Token buckets for accounts and addresses. An IPv6 client counts by its network, since it has any number of addresses. */
export const layer: Layer.Layer<LoginLimits> = Layer.sync(LoginLimits, () => {
  const key = crypto.getRandomValues(new Uint8Array(32))
  const hashed = (kind: string, value: string) =>
    new Bun.CryptoHasher("sha256", key).update(`${kind} ${value}`).digest("base64url")
  const accounts = makeTokenBuckets(() => null, MAX_BUCKETS)
  const addresses = makeTokenBuckets(() => null, MAX_BUCKETS)
  const addressKey = (address: string) => hashed("address", networkOf(address))
  const accountKey = (account: string) => hashed("account", account.trim().toLowerCase())
  return LoginLimits.of({
    attempt: (account, address) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        const fromAddress = addresses.take(addressKey(address), ADDRESS, now)
        return fromAddress > 0 ? fromAddress : accounts.take(accountKey(account), ACCOUNT, now)
      }),
    succeeded: (account, address) =>
      Effect.sync(() => {
        addresses.giveBack(addressKey(address))
        accounts.giveBack(accountKey(account))
      })
  })
})
