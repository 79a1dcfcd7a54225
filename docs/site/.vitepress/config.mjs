// The site: the documents of the repository as they are, in English and Chinese.
//
// Pages get short addresses, and their links are rewritten: to a page where there is one, else to the
// file in the repository on GitHub. Nothing is loaded from another host.

import { existsSync, readdirSync, statSync } from 'node:fs'
import { dirname, join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitepress'

const root = join(dirname(fileURLToPath(import.meta.url)), '../../..')
const repository = 'https://github.com/gopalloc/palloc'

// The pages: the file, its address on the site, and its title in the side bar.
const english = [
  ['README.md', 'index.md', 'palloc'],
  ['docs/COOKBOOK.md', 'cookbook.md', 'Cookbook'],
  ['docs/SAFETY.md', 'safety.md', 'Safety'],
  ['docs/CONCURRENCY.md', 'concurrency.md', 'Concurrency'],
  ['docs/POSTGRES.md', 'postgres.md', 'From PostgreSQL'],
  ['docs/ARCHITECTURE.md', 'architecture.md', 'Architecture'],
  ['docs/BENCHMARKS.md', 'benchmarks.md', 'Benchmarks'],
  ['docs/TESTING.md', 'testing.md', 'Testing'],
]
const chinese = [['README.zh-CN.md', 'zh/index.md', 'palloc']]
const sections = {
  '01-malloc': ['malloc() and free()', 'malloc() 和 free()'],
  '02-bugs': ['Use, and bugs', '用法与错误'],
  '03-pool': ['Pools', '内存池'],
  '04-context': ['MemoryContextData', 'MemoryContextData'],
  '05-tree': ['The tree', '树'],
  '06-reset': ['Reset, delete, callbacks', '重置、删除与回调'],
  '07-allocset': ['AllocSet', 'AllocSet'],
  '08-kinds': ['Slab, Generation, Bump', 'Slab、Generation、Bump'],
  '09-limits': ['Accounts and limits', '统计与上限'],
  '10-query': ['The life of a query', '一条查询的一生'],
  '11-beyond': ['Beyond PostgreSQL', 'PostgreSQL 之外'],
}

const chapter = (language, prefix, title, i) => [
  [`docs/chapter/${language}/README.md`, `${prefix}chapter/index.md`, title],
  ...Object.entries(sections).map(([name, titles], n) =>
    [`docs/chapter/${language}/${name}.md`, `${prefix}chapter/${name}.md`, `${n + 1}. ${titles[i]}`]),
]
const englishChapter = [...chapter('en', '', 'The chapter', 0), ['docs/chapter/promises.md', 'chapter/promises.md', 'Promises of the draft']]
const chineseChapter = [...chapter('zh', 'zh/', '本章', 1), ['docs/chapter/zh/terms.md', 'zh/chapter/terms.md', '术语表']]

const pages = [...english, ...chinese, ...englishChapter, ...chineseChapter]
const addresses = new Map(pages.map(([file, address]) => [file, address]))

const bar = (list) => list.map(([, address, text]) => ({ text, link: '/' + address.replace(/(index)?\.md$/, '') }))

// target returns where a link of a file leads on the site.
function target(file, href) {
  const [path, anchor] = href.split('#')
  if (/^[a-z]+:/.test(href) || path === '') return href
  const to = posix.normalize(posix.join(posix.dirname(file), path)).replace(/\/$/, '')
  const page = addresses.get(to)
  if (page) return '/' + page.replace(/(index)?\.md$/, '') + (anchor ? '#' + anchor : '')
  if (!existsSync(join(root, to))) throw new Error(`${file} links to ${href}, which is not there`)
  const kind = statSync(join(root, to)).isDirectory() ? 'tree' : 'blob'
  return `${repository}/${kind}/main/${to}` + (anchor ? '#' + anchor : '')
}

// links rewrites the links of a page; pictures are found from the folder of their file.
function links(md) {
  md.core.ruler.push('links', (state) => {
    const file = posix.relative(root, state.env.realPath ?? state.env.path)
    for (const token of state.tokens.flatMap((t) => t.children ?? [])) {
      if (token.type === 'link_open') token.attrSet('href', target(file, token.attrGet('href')))
    }
  })
}

// others returns patterns for what is no page, in a folder and below it.
function others(folder) {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = posix.join(folder, entry.name)
    if (!entry.isDirectory()) return path.endsWith('.md') && !addresses.has(path) ? [path] : []
    return pages.some(([file]) => file.startsWith(path + '/')) ? others(path) : [path + '/**']
  })
}

// corners makes the empty first header of a table a cell, since there is nothing that it names.
function corners(md) {
  md.core.ruler.push('corners', ({ tokens }) => {
    for (const [i, token] of tokens.entries()) {
      if (token.type === 'th_open' && tokens[i + 1].content === '') token.tag = tokens[i + 2].tag = 'td'
    }
  })
}

// words returns the words of a text: Chinese is written without spaces.
function words(text) {
  return [...new Intl.Segmenter('zh', { granularity: 'word' }).segment(text)].filter((s) => s.isWordLike).map((s) => s.segment)
}

// A parent, and two children.
const icon = 'data:image/svg+xml,' + encodeURIComponent(
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><g fill="#0969da"><rect x="5" y="1" width="6" height="5" rx="1"/>' +
  '<rect x="1" y="10" width="6" height="5" rx="1"/><rect x="9" y="10" width="6" height="5" rx="1"/></g>' +
  '<path d="M8 6v2M4 10V8h8v2" fill="none" stroke="#0969da"/></svg>')

const theme = (side, more) => ({ sidebar: side, socialLinks: [{ icon: 'github', link: repository }], ...more })

export default defineConfig({
  title: 'palloc',
  description: "PostgreSQL's memory contexts for Go",
  head: [['link', { rel: 'icon', href: icon }]],
  srcDir: root,
  srcExclude: others(''),
  rewrites: Object.fromEntries(addresses),
  outDir: './dist',
  cacheDir: './.vitepress/cache',
  cleanUrls: false,
  lastUpdated: false,
  vite: { resolve: { alias: [{ find: /^vue(\/.*)?$/, replacement: join(root, 'docs/site/node_modules/vue$1') }] } }, // pages lie above the packages
  markdown: { config: (md) => { links(md); corners(md) }, theme: { light: 'github-light-high-contrast', dark: 'github-dark-high-contrast' } },
  locales: {
    root: {
      label: 'English', lang: 'en',
      themeConfig: theme([{ text: 'Documents', items: bar(english) }, { text: 'The chapter', items: bar(englishChapter) }], {}),
    },
    zh: {
      label: '中文', lang: 'zh-CN', description: 'PostgreSQL 的内存上下文，用于 Go 语言',
      themeConfig: theme([{ text: '文档', items: bar(chinese) }, { text: 'PostgreSQL 的本地内存管理', items: bar(chineseChapter) }], {
        outline: { label: '本页目录' }, docFooter: { prev: '上一页', next: '下一页' }, darkModeSwitchLabel: '外观',
        sidebarMenuLabel: '菜单', returnToTopLabel: '回到顶部', langMenuLabel: '语言',
        lightModeSwitchTitle: '切换到浅色', darkModeSwitchTitle: '切换到深色', skipToContentLabel: '跳到正文',
      }),
    },
  },
  themeConfig: {
    search: {
      provider: 'local',
      options: {
        miniSearch: { options: { tokenize: words } },
        locales: {
          zh: {
            translations: {
              button: { buttonText: '搜索', buttonAriaLabel: '搜索' },
              modal: {
                noResultsText: '没有找到', resetButtonTitle: '清除', displayDetails: '显示详情', backButtonTitle: '返回',
                footer: { selectText: '打开', navigateText: '移动', closeText: '关闭' },
              },
            },
          },
        },
      },
    },
  },
})
