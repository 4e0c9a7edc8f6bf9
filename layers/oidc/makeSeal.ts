import { Schema } from "effect"
import { EncryptJWT, jwtDecrypt } from "jose"

/** Turns values of one kind into strings that only this instance can read or make. */
export interface Seal<A> {
  readonly seal: (value: A) => Promise<string>
  /** Fails for a string that was not made here, is of another kind or is too old. */
  readonly open: (sealed: string) => Promise<A>
}

interface SealOptions {
  /** The same in every process of the instance. */
  readonly secret: string
  /** Differs from kind to kind, so that a value of one is not taken for one of another. */
  readonly purpose: string
  /** How long a sealed value can be opened; null: as long as the secret stays the same. */
  readonly seconds: number | null
}

export const makeSeal = <A>(schema: Schema.Codec<A, A>, { purpose, seconds, secret }: SealOptions): Seal<A> => {
  const key = new Bun.CryptoHasher("sha256", secret).update(purpose).digest()
  const decode = Schema.decodeUnknownSync(schema)
  return {
    seal: (value) => {
      const token = new EncryptJWT({ value }).setProtectedHeader({ alg: "dir", enc: "A256GCM" })
      return (seconds === null ? token : token.setExpirationTime(`${seconds}s`)).encrypt(key)
    },
    open: async (sealed) => {
      const { payload } = await jwtDecrypt(sealed, key, {
        keyManagementAlgorithms: ["dir"],
        contentEncryptionAlgorithms: ["A256GCM"],
        requiredClaims: seconds === null ? [] : ["exp"]
      })
      return decode(payload["value"])
    }
  }
}
