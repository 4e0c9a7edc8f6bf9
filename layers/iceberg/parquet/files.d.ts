declare module "*.wasm" {
  /** The file's path. */
  const path: string
  export default path
}
