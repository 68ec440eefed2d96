// `npm run servers [-- postgres redis nats kafka]`: gets and starts real servers for development,
// says where they are as lines for a shell, and stops them on Ctrl-C.
import { startTestServers, SERVERS, type ServerName } from './test-servers.ts'

const known = Object.keys(SERVERS) as ServerName[]
const wanted = process.argv.slice(2)
const unknown = wanted.filter(name => !known.some(one => one === name))
if (unknown.length > 0) {
  console.error(`no such server: ${unknown.join(', ')}; there are ${known.join(', ')}`)
  process.exit(2)
}
const names = known.filter(name => wanted.length === 0 || wanted.includes(name))
for (const name of names) SERVERS[name].get()

const { promise: asked, resolve: ask } = Promise.withResolvers<void>()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => ask())

const { env, servers, missing, stop } = await startTestServers(names)
for (const server of servers) console.error(server.describe())
for (const message of missing) console.error(message)
console.error('\nFor tests; without _TEST for a node. Ctrl-C stops them and removes their data.')
for (const [name, value] of Object.entries(env)) {
  if (!name.endsWith('_MISSING')) console.log(`export ${name}=${value}`)
}
await asked
await stop()
process.exitCode = missing.length > 0 ? 1 : 0
