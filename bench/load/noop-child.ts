/** Answers whatever comes with the same bytes: what is measured then is who sends. */
import { createServer, type AddressInfo } from 'node:net'
import { setPriority } from 'node:os'

const ANSWER = Buffer.from(
  'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}',
)
try {
  // As the generator does: neither is to wait for what else runs.
  setPriority(-10)
} catch {
  // Only a privileged user may.
}
const server = createServer({ noDelay: true }, socket => {
  socket.on('data', () => socket.write(ANSWER))
  socket.on('error', () => {})
})
server.listen(0, '127.0.0.1', () => process.send!((server.address() as AddressInfo).port))
process.on('disconnect', () => process.exit(0))
