/** What the process's exit code says. Documented in docs/reference/cli.md, which is made from this. */
export const EXIT_CODES = {
  ok: { code: 0, meaning: 'Done, or stopped as asked with everything committed.' },
  unexpected: { code: 1, meaning: 'An error that nobody foresaw; the message has its trace.' },
  usage: {
    code: 2,
    meaning: 'The command line or the configuration is wrong; all problems are listed.',
  },
  unavailable: {
    code: 3,
    meaning:
      'An address or the data folder cannot be had: in use by another process, or not permitted.',
  },
  failed: {
    code: 4,
    meaning:
      'A running node failed, for example its disk. What was acknowledged is kept; start it again.',
  },
  stopTimeout: {
    code: 5,
    meaning: 'The stop took longer than shutdownTimeoutMs. The next start replays the log.',
  },
  damaged: {
    code: 6,
    meaning:
      'What is in the data folder is damaged; the message names the file. Nothing was changed.',
  },
  refused: {
    code: 7,
    meaning:
      'What the command names does not exist, or cannot be what was asked for: a key that has ended.',
  },
} as const

export type ExitName = keyof typeof EXIT_CODES

export function exitCode(name: ExitName): number {
  return EXIT_CODES[name].code
}
