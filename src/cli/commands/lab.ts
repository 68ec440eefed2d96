import type { CommandIo } from '../command.ts'
import { exitCode } from '../exit-code.ts'

interface Action {
  readonly summary: string
  load(): Promise<{
    readonly help: string
    run(args: readonly string[], io: CommandIo): Promise<number>
  }>
}

/** Each loads what it needs, when it is asked for. */
const ACTIONS: Readonly<Record<string, Action>> = {
  run: {
    summary: 'compare topologies: the highest rate that each holds, and what stops it',
    load: async () => {
      const { HELP, labRun } = await import('./lab/run.ts')
      return { help: HELP, run: labRun }
    },
  },
  ramp: {
    summary: 'search the highest rate of one topology, or of any URL',
    load: async () => {
      const { HELP, labRamp } = await import('./lab/ramp.ts')
      return { help: HELP, run: labRamp }
    },
  },
  scenario: {
    summary: 'run a workload once as it is defined: a burst, a reconnect storm, users who wait',
    load: async () => {
      const { HELP, labScenario } = await import('./lab/scenario.ts')
      return { help: HELP, run: labScenario }
    },
  },
  report: {
    summary: 'make the report of a run again',
    load: async () => {
      const { HELP, labReport } = await import('./lab/report.ts')
      return { help: HELP, run: labReport }
    },
  },
  compare: {
    summary: 'two runs side by side: of two commits, or two machines',
    load: async () => {
      const { HELP, labCompare } = await import('./lab/compare.ts')
      return { help: HELP, run: labCompare }
    },
  },
  export: {
    summary: 'write a workload as a script of k6, Locust or Artillery',
    load: async () => {
      const { HELP, labExport } = await import('./lab/export.ts')
      return { help: HELP, run: labExport }
    },
  },
  serve: {
    summary: 'the benchmark service of the streaming platform API',
    load: async () => {
      const { HELP, labServe } = await import('./lab/serve.ts')
      return { help: HELP, run: labServe }
    },
  },
}

export async function labHelp(): Promise<string> {
  const width = Math.max(...Object.keys(ACTIONS).map(name => name.length))
  const actions = Object.entries(ACTIONS)
  const loaded = await Promise.all(actions.map(([, action]) => action.load()))
  return [
    'weir lab: which architecture do I need next? Measured (docs/guides/lab.md)',
    '',
    ...actions.map(([name, { summary }]) => `  weir lab ${name.padEnd(width)}  ${summary}`),
    '',
    ...loaded.map(({ help }) => help.trimEnd() + '\n'),
  ].join('\n')
}

/** `weir lab …`: the load, the search and the reports. */
export async function lab(args: readonly string[], io: CommandIo): Promise<number> {
  const [name = '', ...rest] = args
  if (!Object.hasOwn(ACTIONS, name)) {
    const what = name === '' ? 'say what to do' : `no such action: ${name}`
    io.stderr.write(`weir lab: ${what} (${Object.keys(ACTIONS).join(', ')})\n`)
    return exitCode('usage')
  }
  const { run } = await ACTIONS[name].load()
  return run(rest, io)
}
