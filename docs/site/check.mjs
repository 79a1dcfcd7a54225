// Checks the built site in chromium: axe finds nothing on any page, light and dark; no page asks another
// host; the search finds a word of each language. It looks at every page light and dark; with QUICK=1 at
// every other one light, and at the rest dark. With a folder as argument, it keeps pictures there.
//
//   npm run check [-- FOLDER]

import { readFileSync, readdirSync } from 'node:fs'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { extname, join } from 'node:path'
import { chromium } from 'playwright-core'

const dist = new URL('./dist/', import.meta.url).pathname
const axe = createRequire(import.meta.url).resolve('axe-core/axe.min.js')
const types = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.woff2': 'font/woff2', '.json': 'application/json' }
const shots = process.argv[2]
const faults = []

const server = createServer((request, response) => {
  const path = decodeURI(request.url.split('?')[0]).replace(/\/$/, '/index.html')
  try {
    response.setHeader('content-type', types[extname(path)] ?? 'application/octet-stream')
    response.end(readFileSync(join(dist, path)))
  } catch {
    response.writeHead(404).end()
  }
})
await new Promise((ready) => server.listen(0, '127.0.0.1', ready))
const site = `http://127.0.0.1:${server.address().port}`

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] })
const page = await browser.newPage({ viewport: { width: 1280, height: 900 } })
page.on('request', (r) => { if (!/^(data|blob):/.test(r.url()) && !r.url().startsWith(site)) faults.push(`${page.url()} asks for ${r.url()}`) })
page.on('response', (r) => { if (r.status() >= 400) faults.push(`${page.url()}: ${r.url()} is answered by ${r.status()}`) })

// look opens a page in a colour scheme and reports what axe finds.
async function look(path, scheme) {
  await page.emulateMedia({ colorScheme: scheme })
  await page.goto(site + '/' + path, { waitUntil: 'load' })
  await page.waitForSelector('.VPDoc h1', { timeout: 10000 })
  await page.addScriptTag({ path: axe })
  const { violations } = await page.evaluate(() => window.axe.run())
  for (const v of violations) faults.push(`${path}, ${scheme}: ${v.id}: ${v.help}: ${v.nodes.map((n) => n.target).slice(0, 3).join(' | ')}`)
  if (shots) await page.screenshot({ path: join(shots, path.replace(/\W/g, '-') + '-' + scheme + '.png') })
}

// search looks a word up, and reports when nothing is found.
async function search(path, word) {
  await page.goto(site + '/' + path, { waitUntil: 'load' })
  await page.waitForSelector('.DocSearch-Button')
  await page.click('.DocSearch-Button')
  await page.waitForSelector('#localsearch-input')
  await page.fill('#localsearch-input', word)
  await page.waitForSelector('.results .result', { timeout: 10000 }).catch(() => faults.push(`a search for ${word} finds nothing`))
  if (shots) await page.screenshot({ path: join(shots, 'search-' + path.replace(/\W/g, '-') + '.png') })
}

const pages = readdirSync(dist, { recursive: true }).filter((p) => p.endsWith('.html') && p !== '404.html').sort()
for (const [i, path] of pages.entries()) {
  for (const scheme of process.env.QUICK ? [['light', 'dark'][i % 2]] : ['light', 'dark']) await look(path, scheme)
}
await search('index.html', 'reset')
await search('zh/index.html', '空闲链表')

await browser.close()
server.close()
for (const fault of faults) console.log(fault)
console.log(`${pages.length} pages, light ${process.env.QUICK ? 'or' : 'and'} dark: ${faults.length} faults`)
process.exitCode = faults.length || pages.length === 0 ? 1 : 0
