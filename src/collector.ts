import "effect/schema/SchemaJITCompiler/enable"
import { collector } from "./collectorProcess.ts"

// Nothing else may import this file: in a bundle `import.meta.main` holds for every module.
collector()
