/** Shows `count` unread messages in the title and the icon of the tab. */
export function showUnread(count: number, title: string): void {
  const text = count === 0 ? title : `(${count > 99 ? "99+" : count}) ${title}`;
  if (document.title !== text) document.title = text;
  const link = document.querySelector<HTMLLinkElement>("link[rel=icon]");
  const href = count === 0 ? link?.dataset.read : link?.dataset.unread;
  if (link !== null && href !== undefined && link.getAttribute("href") !== href) link.href = href;
}

/** Shows at a row of the list how much its reader has not read there, and whether they are named. */
export function showRowUnread(row: HTMLElement, unread: number, mentions: number): void {
  row.toggleAttribute("data-unread", unread > 0);
  const badge = row.querySelector<HTMLElement>("[data-unread-count]");
  if (badge === null) return;
  badge.hidden = unread === 0;
  badge.toggleAttribute("data-mentioned", mentions > 0);
  const count = unread > 99 ? "99+" : String(unread);
  badge.textContent = mentions > 0 ? `@${count}` : count;
  badge.title = mentions > 0 ? `${count} unread, you are mentioned` : `${count} unread`;
}
