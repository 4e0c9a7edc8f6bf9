/** The end of a file as a Blob with the offsets of the whole file. */
export class FileEnd extends Blob {
  readonly #offset: number

  constructor(end: Uint8Array, fileSize: number) {
    super([end as Uint8Array<ArrayBuffer>])
    this.#offset = fileSize - end.length
  }

  override get size(): number {
    return super.size + this.#offset
  }

  override slice(start = 0, end = this.size): Blob {
    return super.slice(Math.max(0, start - this.#offset), Math.max(0, end - this.#offset))
  }
}
