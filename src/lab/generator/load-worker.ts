/** The generator's process: gets a plan, runs it, sends ticks and the result, and ends. */
import { LoadRun } from './load-run.ts'
import type { GeneratorMessage, LoadPlan } from './load.ts'
import { goFirst } from './priority.ts'

/** From the one that started it. */
export type GeneratorOrder =
  { readonly kind: 'plan'; readonly plan: LoadPlan } | { readonly kind: 'stop' }

let run: LoadRun | undefined

goFirst()

function tell(message: GeneratorMessage, then: () => void = () => {}): void {
  if (process.connected) process.send!(message, then)
}

async function begin(plan: LoadPlan): Promise<void> {
  try {
    run = new LoadRun(plan, tick => tell({ kind: 'tick', tick }))
    await run.open()
    const result = run.start()
    tell({ kind: 'ready' })
    tell({ kind: 'result', result: await result }, () => process.disconnect())
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    tell({ kind: 'failed', message }, () => process.disconnect())
  }
}

process.on('message', (order: GeneratorOrder) => {
  if (order.kind === 'stop') run?.stop()
  else void begin(order.plan)
})
// Nobody is left to tell, and nobody is to be loaded any more.
process.on('disconnect', () => process.exit(0))
// Ctrl-C, a service manager and a terminal that closes tell the whole group: it is the parent's to
// handle, who asks for what was measured until then.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})
