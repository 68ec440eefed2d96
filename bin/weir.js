#!/usr/bin/env node
// Starts the compiled CLI on a Node that can run it. Plain JavaScript for any Node from 18 on:
// the one on a machine may be older than Weir needs, and the npm package `node` brings another.
import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

const NEEDED = 24
const main = join(dirname(dirname(fileURLToPath(import.meta.url))), 'dist', 'cli', 'main.js')

if (Number(process.versions.node.split('.')[0]) >= NEEDED) {
  await import(main)
} else {
  const node = bundledNode()
  if (node === undefined) {
    console.error(
      `weir needs Node ${NEEDED} or later; this is ${process.version}, and the npm package ` +
        '"node" that brings one was not set up (were install scripts allowed?).',
    )
    process.exit(1)
  }
  const child = spawn(node, [main, ...process.argv.slice(2)], { stdio: 'inherit' })
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) {
    process.on(signal, () => child.kill(signal))
  }
  child.on('exit', (code, signal) => {
    process.exit(signal === null ? code : 128 + constants.signals[signal])
  })
}

function bundledNode() {
  try {
    const folder = dirname(createRequire(import.meta.url).resolve('node/package.json'))
    const file = join(folder, 'bin', process.platform === 'win32' ? 'node.exe' : 'node')
    return existsSync(file) ? file : undefined
  } catch {
    return undefined
  }
}
