import { readFileSync, statSync } from 'node:fs'
import { createSecureContext, type TlsOptions } from 'node:tls'
import type { Logger } from '../observe/logger.ts'
import type { Clock } from '../ports/clock.ts'
import { WeirError } from '../ports/errors.ts'

export interface CertificateFiles {
  /** Empty: no TLS. */
  readonly certFile: string
  readonly keyFile: string
  readonly caFile: string
  readonly requestCert: boolean
}

/** What renews certificates (certbot, cert-manager) writes files: they are looked at this often. */
const LOOK_INTERVAL_MS = 10_000

/** @throws WeirError `config` that names the file, or what does not fit. */
export function readCertificates(files: CertificateFiles): TlsOptions | undefined {
  const { certFile, keyFile, caFile, requestCert } = files
  if (certFile === '') return undefined
  const options: TlsOptions = {
    ...{ cert: read(certFile), key: read(keyFile), minVersion: 'TLSv1.2' },
    ...(caFile === '' ? {} : { ca: read(caFile) }),
    ...(requestCert ? { requestCert: true, rejectUnauthorized: true } : {}),
  }
  try {
    createSecureContext(options)
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : String(cause)
    throw new WeirError('config', `${certFile} and ${keyFile} cannot be used: ${detail}`, { cause })
  }
  return options
}

/** Hands renewed files to `renew` as they appear; what cannot be used is logged, the old stay. */
export function watchCertificates(
  files: CertificateFiles,
  { clock, logger, renew }: { clock: Clock; logger: Logger; renew: (tls: TlsOptions) => void },
): () => void {
  if (files.certFile === '') return () => {}
  let known = stamp(files)
  return clock.every(LOOK_INTERVAL_MS, () => {
    const now = stamp(files)
    if (now === known) return
    known = now
    try {
      renew(readCertificates(files)!)
      logger.info({ file: files.certFile }, 'renewed certificates are in use')
    } catch (error) {
      // Perhaps only one of the two is there yet: the other changes the stamp again.
      logger.warn({ err: error }, 'renewed certificates cannot be used yet; the old ones stay')
    }
  })
}

function stamp({ certFile, keyFile, caFile }: CertificateFiles): string {
  const files = [certFile, keyFile, caFile].filter(file => file !== '')
  return files
    .map(file => {
      const { mtimeMs, size, ino } = statSync(file, { throwIfNoEntry: false }) ?? {}
      return [mtimeMs, size, ino].join(' ')
    })
    .join(', ')
}

function read(file: string): Buffer {
  try {
    return readFileSync(file)
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : String(cause)
    throw new WeirError('config', `a certificate or key cannot be read: ${detail}`, { cause })
  }
}
