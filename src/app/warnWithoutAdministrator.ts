import { Effect } from "effect"
import type { AppDatabase } from "../../layers/postgres/client/Database.ts"
import { lacksAdministrator } from "../../layers/postgres/control/people/administrators.ts"
import { howToCreateAdministrator } from "../domain/people.ts"

/** Says at the start that the instance has no administrator, and what to do. If it cannot be known, `doctor` says why. */
export const warnWithoutAdministrator: Effect.Effect<void, never, AppDatabase> = lacksAdministrator.pipe(
  Effect.orElseSucceed(() => false),
  Effect.flatMap((isLacking) =>
    isLacking
      ? Effect.logWarning(
          `This instance has no administrator, and its setup is closed. ${howToCreateAdministrator(false)}`
        )
      : Effect.void
  )
)
