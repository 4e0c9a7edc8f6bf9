/** A message for the user: what went wrong and what to do. Printed without a stack trace. */
export class Failure extends Error {
  override readonly name = "Failure"
}
