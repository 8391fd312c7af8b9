// What is asked of a page, in its own language. It shares the page's elements and none of its
// scripts' objects; what it says is as untrusted as the page all the same.
var page = {
  // Load what waits to be looked at, scroll to the end, and wait until nothing changes any more.
  async scroll(limit) {
    const end = Date.now() + limit;
    const pause = (ms) => new Promise((done) => setTimeout(done, ms));
    for (const one of document.querySelectorAll('img[loading=lazy],iframe[loading=lazy]')) {
      one.loading = 'eager';
    }
    const stop = Date.now() + limit * 0.7;
    while (Date.now() < stop && scrollY < 30000) {
      const before = scrollY;
      scrollBy({ top: innerHeight * 0.9, behavior: 'instant' });
      await pause(100);
      if (scrollY === before) {
        await pause(200);
        if (scrollY + innerHeight >= document.documentElement.scrollHeight - 2) break;
      }
    }
    scrollTo({ top: 0, behavior: 'instant' });
    let changed = Date.now();
    const observer = new MutationObserver(() => { changed = Date.now(); });
    observer.observe(document, { subtree: true, childList: true, characterData: true });
    while (Date.now() < end && Date.now() - changed < 300) await pause(50);
    observer.disconnect();
  },

  // What a reader sees; the text of shadow trees is no part of innerText.
  text() {
    const texts = [document.documentElement ? document.documentElement.innerText : ''];
    for (const tree of this.shadows(document)) {
      for (const one of tree.children) {
        if (!['STYLE', 'SCRIPT', 'TEMPLATE', 'LINK'].includes(one.tagName)) texts.push(one.innerText || '');
      }
    }
    return texts.join('\n').slice(0, 4000000);
  },

  // The page as markup that shows the same without its scripts: styles that scripts made are
  // written down, and open shadow trees stand as templates that browsers put back.
  markup() {
    for (const style of document.querySelectorAll('style')) {
      if (!style.textContent.trim()) this.written(style, style.sheet);
    }
    for (const sheet of document.adoptedStyleSheets || []) {
      this.written(document.head.appendChild(document.createElement('style')), sheet);
    }
    const type = document.doctype ? `<!DOCTYPE ${document.doctype.name}>` : '';
    const root = document.documentElement;
    const inner = root.getHTML ? root.getHTML({ shadowRoots: this.shadows(document) }) : root.innerHTML;
    const open = root.cloneNode(false).outerHTML.replace(/<\/html>\s*$/i, '');
    return `${type}${open}${inner}</html>`;
  },

  written(style, sheet) {
    try {
      const rules = Array.from(sheet.cssRules, (rule) => rule.cssText);
      if (rules.length) style.textContent = rules.join('\n');
    } catch { /* a sheet of another origin */ }
  },

  shadows(root) {
    const found = [];
    for (const one of root.querySelectorAll('*')) {
      if (one.shadowRoot && found.length < 1000) found.push(one.shadowRoot, ...this.shadows(one.shadowRoot));
    }
    return found;
  },
};
