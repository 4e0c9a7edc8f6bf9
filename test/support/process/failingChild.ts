/** A process that opens, and fails once it is asked something. */
process.on("message", ({ type }: { readonly type: string }) => {
  if (type === "open") return process.send?.({ type: "opened" })
  console.error("connected to postgres://footfall:hunter2@localhost/footfall")
  throw new Error("can't open postgres://footfall:hunter2@localhost/footfall")
})
