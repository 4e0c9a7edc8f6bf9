import { Context } from "effect"
import { ANONYMOUS, type Principal } from "../domain/Principal.ts"

/** Who makes the running request or gave the running command. Changes are recorded under its name. */
export const CurrentPrincipal = Context.Reference<Principal>("footfall/ports/CurrentPrincipal", {
  defaultValue: () => ANONYMOUS
})
