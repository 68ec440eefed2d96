import { execFileSync } from 'node:child_process'
import { cpus, release, totalmem, type } from 'node:os'

export interface Machine {
  readonly date: string
  readonly commit: string
  readonly cores: number
  readonly cpu: string
  readonly memoryGb: number
  readonly kernel: string
  readonly node: string
}

export function describeMachine(): Machine {
  const processors = cpus()
  return {
    date: new Date().toISOString(),
    commit: commit(),
    cores: processors.length,
    cpu: processors[0]?.model.trim() ?? 'unknown',
    memoryGb: Math.round(totalmem() / 1024 ** 3),
    kernel: `${type()} ${release()}`,
    node: process.version,
  }
}

function commit(): string {
  const git = (...args: string[]): string =>
    execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  try {
    return (
      git('rev-parse', '--short', 'HEAD') +
      (git('status', '--porcelain') === '' ? '' : ' with changes')
    )
  } catch {
    return 'no commit'
  }
}
