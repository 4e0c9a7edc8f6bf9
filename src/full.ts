import "effect/schema/SchemaJITCompiler/enable"
import { runFull } from "./app/full.ts"

// No other file may import this one: in a bundle, `import.meta.main` is true for every module.
runFull()
