import type { Command, CommandOption } from './command.ts'

/** The options that `--help` shows of the many that the configuration has. */
export const MAIN_OPTIONS: readonly CommandOption[] = [
  {
    flag: 'topology',
    value: 'NAME|FILE',
    meaning: 'Configuration: one that comes with Weir, or a file (embedded).',
  },
  { flag: 'data', value: 'DIR', meaning: 'Folder that holds everything Weir keeps (./weir-data).' },
  { flag: 'http', value: 'HOST:PORT', meaning: 'Where HTTP listens (127.0.0.1:8080).' },
  { flag: 'mqtt', value: 'HOST:PORT', meaning: 'Where MQTT listens (127.0.0.1:1883).' },
  { flag: 'insecure', meaning: 'Allow listening beyond this machine without keys.' },
]

export const commands: readonly Command[] = [
  {
    name: 'up',
    summary: 'Run Weir: take points in, keep them, answer for them.',
    options: [
      {
        flag: 'demo',
        meaning: 'Also run a simulated fleet that sends to it.',
      },
    ],
    isConfigurable: true,
    run: async (args, io) => (await import('./commands/up.ts')).up(args, io),
  },
  {
    name: 'check',
    summary: 'Validate the configuration and print what `up` would run. Changes nothing.',
    options: [{ flag: 'json', meaning: 'Print the plan and every option as JSON.' }],
    isConfigurable: true,
    run: async (args, io) => (await import('./commands/check.ts')).check(args, io),
  },
  {
    name: 'keys',
    summary: 'Issue, list, rotate and revoke keys; also while a node runs.',
    options: [],
    isConfigurable: true,
    help: async () => (await import('./commands/keys.ts')).KEYS_HELP,
    run: async (args, io) => (await import('./commands/keys.ts')).keys(args, io),
  },
  {
    name: 'dead-letters',
    summary: 'Look at what consumers of Kafka or NATS could not take, and replay it.',
    options: [],
    isConfigurable: true,
    help: async () => (await import('./commands/dead-letters.ts')).DEAD_LETTERS_HELP,
    run: async (args, io) => (await import('./commands/dead-letters.ts')).deadLetters(args, io),
  },
  {
    name: 'damaged-blocks',
    summary: 'Look at blocks of the store that were found damaged and set aside. Changes nothing.',
    options: [
      { flag: 'json', meaning: 'Print JSON, one object a line.' },
      { flag: 'save', value: 'DIR', meaning: 'Also write the bytes of each to a file there.' },
    ],
    isConfigurable: true,
    run: async (args, io) => (await import('./commands/damaged-blocks.ts')).damagedBlocks(args, io),
  },
  {
    name: 'export',
    summary: 'Write points of a running Weir to a CSV, NDJSON or Parquet file.',
    options: [],
    isConfigurable: false,
    help: async () => (await import('./commands/export.ts')).EXPORT_HELP,
    run: async (args, io) => (await import('./commands/export.ts')).exportCommand(args, io),
  },
  {
    name: 'import',
    summary: 'Send CSV, NDJSON or Parquet files to a running Weir, with their own times.',
    options: [],
    isConfigurable: false,
    help: async () => (await import('./commands/import.ts')).IMPORT_HELP,
    run: async (args, io) => (await import('./commands/import.ts')).importCommand(args, io),
  },
  {
    name: 'simulate',
    summary: 'Send what a fleet of devices would, or recorded data, over HTTP or MQTT.',
    options: [],
    isConfigurable: false,
    help: async () => (await import('./commands/simulate.ts')).SIMULATE_HELP,
    run: async (args, io) => (await import('./commands/simulate.ts')).simulateCommand(args, io),
  },
  {
    name: 'lab',
    summary: 'Measure topologies against each other: which holds how much, and what stops it.',
    options: [],
    isConfigurable: false,
    help: async () => (await import('./commands/lab.ts')).labHelp(),
    run: async (args, io) => (await import('./commands/lab.ts')).lab(args, io),
  },
  {
    name: 'plan',
    summary: 'What a fleet needs: cores, memory, disk, network and topology.',
    options: [
      { flag: 'devices', value: 'N', meaning: 'Devices that send.' },
      { flag: 'rate', value: 'N', meaning: 'Messages a second of each device (1).' },
      { flag: 'metrics', value: 'N', meaning: 'Metrics of each device, all in every message (1).' },
      { flag: 'retention', value: 'DURATION', meaning: 'How long points are kept (90d).' },
      { flag: 'queries-per-second', value: 'N', meaning: 'Of all readers together (0).' },
      { flag: 'peak', value: 'N', meaning: 'The busiest time is so many times the mean (1).' },
      { flag: 'replicas', value: 'N', meaning: 'Copies of the points that are kept (1).' },
      {
        flag: 'payload',
        value: 'BYTES',
        meaning: 'Of a message on the wire, with its headers (100 for each point).',
      },
      {
        flag: 'from',
        value: 'PATH',
        meaning: 'Plan with what `weir lab run` measured: its folder, or a file of --save.',
      },
      { flag: 'save', value: 'FILE', meaning: 'Keep what a plan needs of --from in a small file.' },
      { flag: 'json', meaning: 'Print the plan as JSON.' },
    ],
    isConfigurable: false,
    run: async (args, io) => (await import('./commands/plan.ts')).plan(args, io),
  },
]
