/** A sentence for the one at the terminal: what went wrong and what to do. Printed without a stack. */
export class Failure extends Error {
  override readonly name = "Failure"
}
