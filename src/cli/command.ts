/** Where a command reads and writes; the process's own, except in tests. */
export interface CommandIo {
  readonly stdout: { readonly isTTY?: boolean | undefined; write(text: string): unknown }
  readonly stderr: { readonly isTTY?: boolean | undefined; write(text: string): unknown }
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
}

export interface CommandOption {
  /** Without its dashes. */
  readonly flag: string
  /** What stands for its value in the help; absent: it takes none. */
  readonly value?: string
  readonly meaning: string
}

/** One command: its help, its options and docs/reference/cli.md are all made from this. */
export interface Command {
  readonly name: string
  readonly summary: string
  readonly options: readonly CommandOption[]
  /** Whether every option of the configuration is a flag of it. */
  readonly isConfigurable: boolean
  /** Help in full, where the command has its own. */
  help?(): Promise<string>
  /** Resolves with the exit code. Loads what it needs, so that `--help` loads nothing. */
  run(args: readonly string[], io: CommandIo): Promise<number>
}
