import { readFileSync } from 'node:fs'
import { connect as connectTcp, isIP } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect as connectTls, createSecureContext, type ConnectionOptions } from 'node:tls'
import { createWebSocketStream, WebSocket } from 'ws'
import { WeirError } from '../../ports/errors.ts'
import type { BrokerAddress, BrokerLogin, BrokerTls } from './options.ts'

const DEFAULT_PORTS: Readonly<Record<string, number>> = { 'mqtt:': 1883, 'mqtts:': 8883 }

/**
 * A socket to the broker, on its way to be connected; what is written meanwhile is kept. Failures
 * come as its `error`.
 *
 * @throws the file system's error or OpenSSL's, when a file cannot be read or is no PEM.
 */
export function connectToBroker({ url, tls }: BrokerAddress): Duplex {
  const { protocol, hostname, port } = new URL(url)
  const host = hostname.replace(/^\[(.*)\]$/, '$1')
  if (protocol === 'ws:' || protocol === 'wss:') {
    const secure = protocol === 'wss:' ? tlsOptions(tls, host) : {}
    const socket = new WebSocket(url, ['mqtt'], { ...secure, perMessageDeflate: false })
    return createWebSocketStream(socket)
  }
  const where = { host, port: port === '' ? DEFAULT_PORTS[protocol] : Number(port) }
  const socket =
    protocol === 'mqtts:' ? connectTls({ ...where, ...tlsOptions(tls, host) }) : connectTcp(where)
  // Acknowledgements are small, and the broker's window waits for them.
  return socket.setNoDelay(true).setKeepAlive(true, 60_000)
}

function tlsOptions(tls: BrokerTls, host: string): ConnectionOptions {
  const { caFile, certFile, keyFile, serverName, alpn, rejectUnauthorized } = tls
  const name = serverName ?? (isIP(host) === 0 ? host : undefined)
  return {
    rejectUnauthorized,
    minVersion: 'TLSv1.2',
    ...(name === undefined ? {} : { servername: name }),
    ...(alpn === undefined ? {} : { ALPNProtocols: [alpn] }),
    ...(caFile === undefined ? {} : { ca: readFileSync(caFile) }),
    ...(certFile === undefined ? {} : { cert: readFileSync(certFile) }),
    ...(keyFile === undefined ? {} : { key: readFileSync(keyFile) }),
  }
}

export interface Login {
  readonly username?: string
  readonly password?: string
}

/** @throws WeirError of kind `config` that names the missing variable; the file system's error. */
export function readLogin(login: BrokerLogin): Login {
  const { username } = login
  const password = readPassword(login)
  return {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
  }
}

function readPassword({ password, passwordFile, passwordEnv }: BrokerLogin): string | undefined {
  // Editors end a file with a line break, which is no part of the password.
  if (passwordFile !== undefined) return readFileSync(passwordFile, 'utf8').replace(/\r?\n$/, '')
  if (passwordEnv === undefined) return password
  const value = process.env[passwordEnv]
  if (value === undefined) {
    throw new WeirError('config', `the environment variable ${passwordEnv} is not set`)
  }
  return value
}

/**
 * Reads all files once, so that a wrong path is an error of the start and not of the night.
 *
 * @throws WeirError of kind `config` that names the bridge.
 */
export function checkFiles(options: BrokerAddress & BrokerLogin & { readonly name: string }): void {
  try {
    readLogin(options)
    createSecureContext(tlsOptions(options.tls, ''))
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error)
    throw new WeirError('config', `mqtt.bridges, ${options.name}: ${detail}`, { cause: error })
  }
}
