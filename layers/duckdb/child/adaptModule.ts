let done: Promise<void> | null = null

/** Returns text as it is. The module's own decoder drops a byte order mark (U+FEFF) at the beginning of each value. */
const keepText = async () => {
  const { textDecoder } = await import("@duckdb/node-api/lib/vectors/dataAccessors.js")
  const exact = new TextDecoder("utf-8", { ignoreBOM: true })
  textDecoder.decode = exact.decode.bind(exact)
}

/** The bits that say which values are not null; data and offset are those of the module. */
interface Bits {
  readonly data: BigUint64Array | null
  readonly offset: number
  bytes?: Uint8Array
}

/** Finds out faster whether a value is null. The module computes with bigints, which takes a third of the time of reading rows. */
const readBytes = async () => {
  const { DuckDBValidity } = await import("@duckdb/node-api/lib/vectors/DuckDBValidity.js")
  DuckDBValidity.prototype.itemValid = function (index) {
    const bits = this as unknown as Bits
    const { data, offset } = bits
    if (data === null) return true
    bits.bytes ??= new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    const bit = offset + index
    return ((bits.bytes[bit >> 3]! >> (bit & 7)) & 1) === 1
  }
}

/** Changes DuckDB's module where its way of reading values is wrong or slow. */
export const adaptModule = (): Promise<void> => {
  done ??= Promise.all([keepText(), readBytes()]).then(() => {})
  return done
}
