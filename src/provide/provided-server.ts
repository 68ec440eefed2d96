/** A server that Weir has started because its configuration names none. */
export interface ProvidedServer {
  /** `PostgreSQL`, `Redis`, `NATS` or `Kafka`. */
  readonly name: string
  /** As the configuration takes it: a url with its password, or `HOST:PORT`. A secret. */
  readonly address: string
  readonly port: number
  /** Of the process that runs now. */
  readonly pid: number
  /** Where its data, its log and its settings are. */
  readonly directory: string
  /** For people: what it is, where it listens and where its data is. Without the password. */
  describe(): string
  /** Resolves when its process has ended. Idempotent. */
  stop(): Promise<void>
}

/** How to run one of the servers; a file each. */
export interface ServerKind {
  readonly name: string
  /** With its version: `PostgreSQL 18.4`. */
  readonly title: string
  /** What a person has to know of it, if anything; part of what `describe` says. */
  readonly note?: string
  readonly stopSignal: NodeJS.Signals
  /** After which it is killed. */
  readonly stopWithinMs: number
  readonly readyWithinMs: number
  /** Makes data and settings for this port; called before each start of the process. */
  command(port: number): Promise<ServerCommand>
  /** Whether the process `pid` answers at the port; not any other server that may be there. */
  isReady(port: number, pid: number): Promise<boolean>
  /** Whether an end with this output may not happen again when it is started again soon. */
  isPassing?(output: string): boolean
  /** @see ProvidedServer.address */
  address(port: number): string
}

export interface ServerCommand {
  readonly program: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Run it as this user. */
  readonly user?: { readonly uid: number; readonly gid: number }
}

export interface ProvideOptions {
  /** Belongs to this server alone. Created when missing. */
  readonly directory: string
  /** Told when a server that an earlier process left is stopped, or one that ended is restarted. */
  readonly report: (message: string) => void
  /** Whether a server that ends by itself is started again, at the same port. */
  readonly restarts?: boolean
}
